"""The clock is set forward or back by an hour: nothing waits for that hour, and nothing is lost or doubled.

Set back by an hour, every moment in a row is an hour later than it was; set forward, an hour earlier. So the rows
are moved, and the clock stays. Of articles the same is asked in test_outbox.py.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from assistant import outbox
from assistant.interrupted import settle_interrupted
from assistant.models import Conversation, Mail, Question, QuestionStatus, Ticket, TicketStatus
from knowledge.embeddings import use_embedder
from tests.seeded import SeededEmbedder

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SET_BACK, SET_FORWARD = HOUR, -HOUR


def owe(attempts: int, waits: timedelta) -> Mail:
    ticket = Ticket.objects.create(
        subject="Invoice",
        reason="customer_request",
        language="en",
        status=TicketStatus.OPEN,
        contact_email="ada@example.org",
    )
    return Mail.objects.create(ticket=ticket, attempts=attempts, due_at=timezone.now() + waits)


@pytest.mark.parametrize("moved", [SET_BACK, SET_FORWARD])
@pytest.mark.parametrize(
    ("attempts", "waits"),
    [
        (0, timedelta(0)),  # owed a moment ago
        (1, timedelta(seconds=outbox.LEASE_SECONDS)),  # its sender was killed just now
        (1, timedelta(seconds=60)),  # its first try has failed
        (2, timedelta(minutes=8)),
    ],
)
def test_a_mail_waits_for_no_hour(mailoutbox, moved, attempts, waits):
    mail = owe(attempts, waits)
    outbox.send_due()
    assert len(mailoutbox) == (not waits)
    Mail.objects.update(sent_at=None, attempts=attempts, due_at=mail.due_at + moved)
    mailoutbox.clear()
    outbox.send_due()
    outbox.send_due()
    assert len(mailoutbox) == 1
    assert Mail.objects.get().sent_at


def test_a_long_rest_is_kept(mailoutbox):
    """Hours are nothing unusual for the last tries of a mail, so that a clock cannot be told from them."""
    owe(4, timedelta(hours=8))
    outbox.send_due()
    assert not mailoutbox


@pytest.mark.parametrize(
    ("moved", "is_settled"), [(SET_BACK, True), (SET_FORWARD, True), (timedelta(0), False)]
)
def test_a_question_that_was_cut_off_waits_for_no_hour(moved, is_settled):
    use_embedder(SeededEmbedder())
    try:
        question = Question.objects.create(
            conversation=Conversation.objects.create(), text="Why?", language="en", channel="page"
        )
        Question.objects.update(created_at=question.created_at + moved)
        assert settle_interrupted() == is_settled
    finally:
        use_embedder(None)
    question.refresh_from_db()
    assert (question.status == QuestionStatus.ESCALATED) is is_settled
    assert Ticket.objects.filter(question=question).exists() is is_settled
