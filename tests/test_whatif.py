"""What a change would do to past questions: the trial against what happens after really doing it, and its page."""

import pytest

from assistant.asking import Desk, Inquiry, decide
from assistant.calibration.store import in_force
from assistant.question_vectors import load, wordings_of
from assistant.whatif.comparing import Outcome
from assistant.writers.extractive import ExtractiveWriter
from knowledge.indexing import sync_article, sync_stale_here
from knowledge.models import Article, Status
from knowledge.services import archive_article, merge_articles, publish_article
from knowledge.trial import Change, Trial
from knowledge.vectors import VectorStore, VectorStoreUnavailable
from tests.judged import make_articles

pytestmark = pytest.mark.django_db

TEXTS = (
    ("en", "How much is a pause of my subscription?"),
    ("en", "How long can I pause, and what does a new charger cost?"),
    ("en", "I lost my chargr"),
    ("en", "Do you accept PayPal in Austria?"),
    ("en", "Can I take the bike on a ferry to Norway?"),
    ("en", "How tall is a giraffe?"),
    ("de", "Was kostet eine Pause?"),
    ("de", "Darf ich mit dem Rad auf die Fähre?"),
)
FERRY = "## On board\n\nYou may take the bike on a ferry. The battery has to be removed and carried by hand."


@pytest.fixture
def center(make_article):
    articles = make_articles(make_article)
    make_article(
        "Abo pausieren", "Eine Pause kostet 9 Euro im Monat.", language="de", translation_group="pause"
    )
    Article.objects.filter(pk=articles["pause"].pk).update(translation_group="pause")
    make_article("Staff: ferries", "For the ferry we pay 20 euros to the customer.", audience="internal")
    for number in range(40):  # more passages than a pool holds
        make_article(
            f"Route {number}",
            f"Route {number} follows river {number}.\n\n## Way\n\nTurn left at ferry {number}.",
            synced=False,
        )
    sync_stale_here()
    return articles


def draft_of(article: Article, **fields) -> Article:
    """As it would be published, not saved."""
    found = Article.objects.get(pk=article.pk)
    for name, value in {"status": Status.PUBLISHED, **fields}.items():
        setattr(found, name, value)
    return found


def inquiries(staff=None) -> list[Inquiry]:
    found = [Inquiry(text=text, language=language) for language, text in TEXTS]
    found.append(
        Inquiry(
            text="And for two months?",
            language="en",
            history=("user: How much is a pause?", "assistant: A pause costs 9 euros a month."),
        )
    )
    return [*found, Inquiry(text=TEXTS[4][1], language="en", reader=staff)]


def outcomes(asked, side=None) -> list[Outcome]:
    site = in_force()
    desk = Desk(side.retrieve, site, side.translation_of, ExtractiveWriter()) if side else None
    return [Outcome.of(decide(one, desk)) for one in asked]


def trial_of(change: Change, asked) -> Trial:
    return Trial(change, load([one for inquiry in asked for one in wordings_of(inquiry, None)]))


@pytest.fixture
def searched_exactly(monkeypatch):
    """As trials search. A graph may miss the fiftieth of sixty candidates, which moves a score by some 0.001."""

    def refuse(self, *_arguments):
        raise VectorStoreUnavailable("searched exactly instead")

    monkeypatch.setattr(VectorStore, "nearest", refuse)


def same(planned: Outcome, real: Outcome) -> None:
    assert planned.text == real.text
    assert planned.citations == real.citations
    assert (planned.is_answered, planned.reason, planned.level) == (real.is_answered, real.reason, real.level)
    assert planned.closest == real.closest
    assert planned.score == pytest.approx(real.score, abs=1e-5)


def _publish_new(center):
    draft = Article.objects.create(title="Ferries", slug="ferries", body=FERRY, language="en", status="draft")
    return Change((draft_of(draft),)), lambda: publish_article(article=draft)


def _publish_edit(center):
    body = "A pause costs 12 euros a month and lasts up to six months.\n\n## Two pauses\n\nOne pause a year."

    def do():
        article = Article.objects.get(pk=center["pause"].pk)
        article.title, article.body = "Pausing", body
        article.save()

    return Change((draft_of(center["pause"], title="Pausing", body=body),)), do


def _publish_again(center):
    """One that was archived comes back as it was: its passages are still there."""
    archive_article(article=center["charger"])
    sync_article(center["charger"].pk)
    return Change((draft_of(center["charger"]),)), lambda: publish_article(article=center["charger"])


def _only_for_staff(center):
    def do():
        article = Article.objects.get(pk=center["pause"].pk)
        article.audience = "internal"
        article.save()

    return Change((draft_of(center["pause"], audience="internal"),)), do


def _archive(center):
    return Change(withdrawn=frozenset([center["pause"].pk])), lambda: archive_article(article=center["pause"])


def _merge(center):
    kept, other = center["paypal"], center["charger"]
    body = f"{kept.body}\n\n## Lost charger\n\n{other.body}"
    change = Change((draft_of(kept, title="Payment and chargers", body=body),), frozenset([other.pk]))
    return change, lambda: merge_articles(kept=kept, other=other, title="Payment and chargers", body=body)


@pytest.mark.parametrize(
    "prepare", [_publish_new, _publish_edit, _publish_again, _only_for_staff, _archive, _merge]
)
def test_a_trial_is_what_happens_when_it_is_done(center, staff, prepare, searched_exactly):
    change, do = prepare(center)
    asked = inquiries(staff)
    trial = trial_of(change, asked)
    before, after = outcomes(asked, trial.before), outcomes(asked, trial.after)
    assert before != after
    for planned, real in zip(before, outcomes(asked), strict=True):
        same(planned, real)

    do()
    for pk in change.article_ids:
        sync_article(pk)
    for planned, real in zip(after, outcomes(asked), strict=True):
        same(planned, real)
