"""Any order of edits, withdrawals, deletions, sweeps, repairs and questions: an answer cites what is public now.

The model is a dictionary of what was saved. One person at a time and nobody killed: those are test_chaos.py's.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from assistant.models import Citation, Question, QuestionStatus
from assistant.services import ask_question
from knowledge.embeddings import use_embedder
from knowledge.indexing import check_index, repair_index, sync_stale_here
from knowledge.models import Article, Audience, Status
from knowledge.vectors import get_store
from tests.chaos.ledger import Text
from tests.chaos.steps import write
from tests.seeded import SeededEmbedder

ANIMALS = ("quokka", "wombat")


class HelpCenter(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.saved: dict[str, Text] = {}
        self.answered = 0
        for number, animal in enumerate(ANIMALS):
            write(animal, None)
            self.save(animal, number + 100, Status.PUBLISHED, Audience.PUBLIC, is_told=True)

    @rule(
        animal=st.sampled_from(ANIMALS),
        price=st.integers(2, 99),
        status=st.sampled_from(
            [Status.PUBLISHED, Status.PUBLISHED, Status.PUBLISHED, Status.DRAFT, Status.ARCHIVED]
        ),
        audience=st.sampled_from([Audience.PUBLIC, Audience.PUBLIC, Audience.SIGNED_IN, Audience.INTERNAL]),
        is_told=st.booleans(),
    )
    def save(self, animal: str, price: int, status: Status, audience: Audience, is_told: bool) -> None:
        body = f"The {animal} voucher costs {price} euros and is valid for {price + 1} days."
        self.saved[animal] = Text(f"The {animal} voucher", body, status, audience)
        write(animal, self.saved[animal], is_told=is_told)

    @rule(
        animal=st.sampled_from(ANIMALS),
        price=st.integers(2, 99),
        withdrawn=st.sampled_from(
            [(Status.ARCHIVED, Audience.PUBLIC), (Status.PUBLISHED, Audience.INTERNAL)]
        ),
        is_told=st.booleans(),
    )
    def withdraw_what_was_answered(
        self, animal: str, price: int, withdrawn: tuple[Status, Audience], is_told: bool
    ) -> None:
        """The text stays, and all that is remembered of passages knows it: only the gate is in between."""
        self.edit_and_ask(animal, price)
        before = self.saved[animal]
        self.saved[animal] = Text(before.title, before.body, *withdrawn)
        write(animal, self.saved[animal], is_told=is_told)
        self.ask(animal)

    @rule(animal=st.sampled_from(ANIMALS), is_told=st.booleans())
    def delete(self, animal: str, is_told: bool) -> None:
        if self.saved.pop(animal, None) is not None:
            write(animal, None, is_told=is_told)

    @rule()
    def sweep(self) -> None:
        sync_stale_here(newest_first=True)

    @rule()
    def repair(self) -> None:
        repair_index()

    @rule(kept=st.integers(0, 3))
    def lose_vectors(self, kept: int) -> None:
        for key in get_store().collections():
            get_store().delete(key, sorted(get_store().ids(key))[kept:])

    @rule(animal=st.sampled_from(ANIMALS), price=st.integers(2, 99))
    def edit_and_ask(self, animal: str, price: int) -> None:
        self.save(animal, price, Status.PUBLISHED, Audience.PUBLIC, is_told=True)
        self.ask(animal)

    @rule(animal=st.sampled_from(ANIMALS))
    def ask(self, animal: str) -> None:
        question = ask_question(text=f"What does the {animal} voucher cost in euros?", language="en")
        if question.status == QuestionStatus.ESCALATED:
            assert question.ticket
            return
        assert question.status == QuestionStatus.ANSWERED
        citations = Citation.objects.filter(answer__question=question).select_related("article")
        assert citations
        self.answered += 1
        for citation in citations:
            assert citation.article is not None
            text = self.saved[citation.article.slug]
            assert text.is_public
            assert text.body[citation.start : citation.end] == citation.quote

    def teardown(self) -> None:
        articles = Article.objects.filter(slug__in=ANIMALS)
        stored = {one.slug: Text(one.title, one.body, one.status, one.audience) for one in articles}
        assert stored == self.saved
        sync_stale_here()
        repair_index()
        assert check_index().is_clean
        assert not Question.objects.filter(status=QuestionStatus.RECEIVED).exists()
        _answered.append(self.answered)


_answered: list[int] = []


@pytest.mark.django_db(transaction=True)
def test_no_order_of_events_makes_an_answer_cite_what_is_not_public_now(make_article):
    use_embedder(SeededEmbedder())
    _answered.clear()
    for number in range(15):  # in a smaller help center no answer is sure of itself
        make_article(f"The dunnart{number}", f"The dunnart{number} sleeps for {number} days and eats moths.")
    try:
        run_state_machine_as_test(
            HelpCenter,
            settings=settings(
                max_examples=15,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        use_embedder(None)
    assert sum(_answered) >= 10  # otherwise nothing was there to be cited wrongly
