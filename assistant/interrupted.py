"""Questions that were stored and never decided: their process was killed, or something failed on the way.

Promise: each ends in an answer or in a ticket, even if nobody comes back for it. A retry decides it as if it
had just been asked; one that still cannot be decided after a few minutes goes to a person.
"""

import contextlib
import logging
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from assistant.models import Question, QuestionStatus
from assistant.services import hand_over, settle_question
from knowledge import generations
from knowledge.embeddings import EmbedderUnavailable

log = logging.getLogger(__name__)

# Above what a request takes. One that does take longer loses nothing: the first to store an outcome wins.
INTERRUPTED_AFTER_SECONDS = 60
HANDED_OVER_AFTER_SECONDS = 300
_QUESTIONS_A_SWEEP = 50


def settle_interrupted() -> int:
    """How many were settled. Raises what a database that is away raises; all else concerns one question."""
    now = timezone.now()
    patience = timedelta(seconds=INTERRUPTED_AFTER_SECONDS)
    # What was asked in the future was asked before the clock was set back.
    was_asked_long_ago = Q(created_at__lt=now - patience) | Q(created_at__gt=now + patience)
    stuck = Question.objects.filter(was_asked_long_ago, status=QuestionStatus.RECEIVED)
    too_old = now - timedelta(seconds=HANDED_OVER_AFTER_SECONDS)
    settled = 0
    if stuck.exists():
        # Nobody waits any more: a process that has just begun is given the time to load its model.
        with contextlib.suppress(EmbedderUnavailable):
            generations.embedder_of(generations.in_service())
    for question in stuck.select_related("conversation", "user").order_by("created_at")[:_QUESTIONS_A_SWEEP]:
        try:
            if question.created_at < too_old:
                hand_over(question=question)
            else:
                settle_question(question=question)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # What fails for one question must not keep the others from being settled.
            log.exception("question %s could not be decided", question.public_id)
        else:
            settled += 1
    return settled
