"""Questions that are not plain: two in one, follow-ups, words of the site, slips of the pen, the other language."""

import pytest

from assistant.asking import Desk, Inquiry, decide
from assistant.confidence import assess
from knowledge.followups import Signs, last_answer, together
from knowledge.fusion import default_weights
from knowledge.models import SynonymGroup
from knowledge.retrieval import retrieve
from tests.judged import in_force

PAUSE = "You can pause your subscription for one to three months per calendar year. A pause costs 9 euros a month."
INVOICE = (
    "You find every invoice in your profile under Invoices. Choose Download to save an invoice as a PDF file."
)
RANGE = "A full battery lasts for about 60 kilometres on flat ground, less in winter."

pytestmark = pytest.mark.django_db


@pytest.fixture
def articles(make_article):
    return {
        "pause": make_article("Pause your subscription", PAUSE),
        "invoice": make_article("Download an invoice", INVOICE),
        "range": make_article("Battery range", RANGE),
    }


def test_two_questions_in_one_are_answered_from_both_articles(articles):
    decision = decide(
        Inquiry(text="How do I pause my subscription? Where can I download an invoice?", language="en")
    )
    assert decision.draft is not None
    cited = [citation.passage.article_id for citation in decision.draft.citations]
    assert cited == [articles["pause"].pk, articles["invoice"].pk]
    assert [number for block in decision.draft.blocks for number in block.citations] == [1, 2]
    ranks = [passage.rank for passage in decision.passages]
    assert ranks == list(range(1, len(ranks) + 1))
    assert len({passage.passage_id for passage in decision.passages}) == len(ranks)


def test_a_part_that_nothing_answers_leaves_the_question_whole(articles):
    text = "How do I pause my subscription and which wine goes with roasted duck?"
    decision = decide(Inquiry(text=text, language="en"))
    assert decision.retrieval.question == text
    if decision.draft is not None:
        assert {one.passage.article_id for one in decision.draft.citations} <= {articles["pause"].pk}


def test_a_message_of_many_questions_is_looked_for_once(articles):
    """By what it costs: each look embeds another text."""
    looks: list[str] = []

    def counted(question, **options):
        looks.append(question)
        return retrieve(question, **options)

    many = "Where is my invoice now? " * 60
    decide(Inquiry(text=many, language="en", article_languages=("en",)), Desk(counted))
    assert looks == [many]


def test_a_follow_up_is_looked_for_together_with_what_came_before(articles):
    history = ("user: How do I pause my subscription?", f"assistant: {PAUSE}")
    alone = retrieve("And what does it cost for two?", language="en")
    after = retrieve("And what does it cost for two?", language="en", history=history)
    assert alone.history == 0.0
    assert after.history > 0.5
    assert after.article_ids[0] == articles["pause"].pk
    assert after.question.startswith("How do I pause my subscription?")


def test_a_new_topic_is_not_dragged_back_to_the_old_one(articles):
    history = ("user: How do I pause my subscription?", f"assistant: {PAUSE}")
    found = retrieve("How far does a full battery last on flat ground?", language="en", history=history)
    assert found.article_ids[0] == articles["range"].pk


def test_earlier_questions_are_kept_short_and_the_question_stays_whole():
    history = [f"user: {'word ' * 100}{number}" for number in range(9)]
    wording = together("And now?", history)
    assert wording.endswith("8 And now?")
    assert len(wording) < 1200
    assert together("And now?", ["assistant: Hello."]) == ""
    assert last_answer(["user: a", "assistant: b"]) == "b"
    assert last_answer(["assistant: b", "user: a"]) == ""


def test_history_counts_for_more_the_better_it_fits():
    leaning = default_weights().follow_ups
    shares = [
        leaning.share(Signs(better, fits_alone=-0.2, in_last_answer=there))
        for better, there in ((-0.3, 0.0), (0.0, 0.5), (0.0, 1.0), (0.3, 1.0))
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.1 < 0.9 < shares[-1]


def test_the_sites_synonyms_find_what_the_question_does_not_name(articles):
    question = "Where is my Faktura?"
    before = retrieve(question, language="en").passages
    assert all(not passage.bm25 for passage in before)
    SynonymGroup.objects.create(words="Faktura, invoice", language="en")
    found = retrieve(question, language="en")
    assert found.article_ids[0] == articles["invoice"].pk
    assert (found.passages[0].bm25 or 0) > 0


def test_a_misspelt_word_still_counts(articles):
    found = retrieve("downlod the invioce", language="en")
    assert found.article_ids[0] == articles["invoice"].pk
    assert (found.passages[0].bm25 or 0) > 0


def test_what_only_the_other_language_can_answer_is_quoted_from_the_linked_translation(make_article):
    english = make_article("Pause your subscription", PAUSE, translation_group="pause")
    make_article("Download an invoice", INVOICE)
    # Of the German article hardly a word is in the question: what finds it is its English twin.
    german = make_article(
        "Ruhezeit", "Eine Auszeit ist möglich. Preis: 9 EUR.", language="de", translation_group="pause"
    )
    inquiry = Inquiry(text="Wie kann ich mein Abonnement pausieren und für wie viele Monate?", language="de")
    own, across = (
        assess(retrieve(inquiry.text, language="de", article_language=language)).raw
        for language in ("de", "en")
    )
    assert own < across
    in_force((own + across) / 2)
    decision = decide(inquiry)
    assert decision.draft is not None
    assert decision.draft.citations[0].passage.article_id == german.pk
    assert decision.retrieval.article_language == "de"
    assert decision.confidence.raw == across, "as sure as the article that was found"
    english.translation_group = ""
    english.save()
    unlinked = decide(inquiry)
    assert unlinked.draft is not None
    assert unlinked.draft.citations[0].passage.article_id == english.pk
    assert unlinked.confidence.raw == across


def test_the_admin_keeps_synonyms_tidy_and_refuses_what_cannot_be_searched_for(client, admin_user):
    client.force_login(admin_user)
    address = "/admin/knowledge/synonymgroup/add/"
    client.post(address, {"words": "Abo,\nAbonnement , Abo", "language": "de"})
    assert SynonymGroup.objects.get().words == "Abo, Abonnement"
    page = client.post(address, {"words": "the, invoice", "language": "en"}).content.decode()
    assert "“the” cannot be searched for" in page
    assert "the, invoice" in page, "what was typed is still there"
    page = client.post(address, {"words": "invoice", "language": "en"}).content.decode()
    assert "at least two" in page
    assert SynonymGroup.objects.count() == 1
