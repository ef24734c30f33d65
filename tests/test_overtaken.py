"""Editors who do not wait: an article is changed, withdrawn or deleted while a question about it is being decided."""

from typing import Any

import pytest

from assistant import asking
from assistant.models import Answer, Question, QuestionStatus
from assistant.services import ask_question
from knowledge.embeddings import use_embedder
from knowledge.indexing import sync_article
from knowledge.models import Article, Status
from tests.seeded import SeededEmbedder

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "The quokka voucher costs 9 euros.", "The quokka voucher costs 12 euros."


@pytest.fixture
def meanwhile(monkeypatch):
    """What happens between a decision and its being stored, one thing for each decision."""
    things: list[Any] = []

    def decide_slowly(inquiry, **options):
        decision = asking.decide(inquiry, **options)
        if things:
            things.pop(0)()
        return decision

    use_embedder(SeededEmbedder())
    monkeypatch.setattr("assistant.services.questions.decide", decide_slowly)
    yield things
    use_embedder(None)


@pytest.fixture
def article(make_article, meanwhile):
    for number in range(5):
        make_article(f"Wombat {number}", f"Wombat number {number} sleeps all winter.")
    return make_article("The quokka voucher", OLD)


def ask() -> Question:
    return ask_question(text="What does the quokka voucher cost in euros?", language="en")


def edit(article: Article, **fields: object) -> None:
    article.refresh_from_db()
    for name, value in fields.items():
        setattr(article, name, value)
    article.save()  # and its bell has it indexed


def test_without_an_edit_it_is_answered(article):
    assert OLD in ask().answer.text


def test_an_edit_is_quoted_in_its_new_wording(article, meanwhile):
    meanwhile.append(lambda: edit(article, body=NEW))
    assert NEW in ask().answer.text
    assert Answer.objects.count() == 1


def test_an_edit_that_is_not_indexed_yet_is_not_quoted_in_its_old_wording(article, meanwhile):
    meanwhile.append(lambda: Article.objects.filter(pk=article.pk).update(revision=99))
    question = ask()
    assert question.status == QuestionStatus.ESCALATED
    assert question.ticket


@pytest.mark.parametrize("fields", [{"status": Status.ARCHIVED}, {"audience": "internal"}])
def test_what_is_withdrawn_is_not_quoted(article, meanwhile, fields):
    meanwhile.append(lambda: edit(article, **fields))
    question = ask()
    assert question.status == QuestionStatus.ESCALATED
    assert not Answer.objects.exists()


def test_what_is_deleted_is_neither_quoted_nor_an_error(article, meanwhile):
    meanwhile.append(lambda: Article.objects.get(pk=article.pk).delete())
    question = ask()
    assert question.status == QuestionStatus.ESCALATED
    assert question.considered.exists()
    assert not question.considered.filter(title=article.title).exists()


def test_articles_that_never_stand_still_end_in_a_ticket(article, meanwhile):
    def edit_again(number: int):
        return lambda: edit(article, body=f"The quokka voucher costs {number} euros.")

    meanwhile.extend(edit_again(number) for number in range(20, 40))
    question = ask()
    assert question.status == QuestionStatus.ESCALATED
    assert question.ticket
    assert len(meanwhile) == 17  # three decisions, and then a person
    sync_article(article.pk)
    meanwhile.clear()
    assert "costs 22 euros" in ask().answer.text
