"""The gate, its two forms, and what counts as stale: the predicate says what the queryset says."""

import itertools

import pytest

from knowledge.embeddings import current_recipe
from knowledge.models import Article, Audience, Passage, Status

pytestmark = pytest.mark.django_db


def test_predicate_and_queryset_agree_for_every_reader(make_article, customer, staff):
    for status, audience in itertools.product(Status.values, Audience.values):
        make_article(f"{status} {audience}", status=status, audience=audience, synced=False)
    for reader in (None, customer, staff):
        by_queryset = set(Article.objects.published().visible_to(reader).values_list("title", flat=True))
        by_predicate = {one.title for one in Article.objects.all() if one.is_visible_to(reader)}
        assert by_queryset == by_predicate
    assert len(Article.objects.published().visible_to(None)) == 1


def test_stale_predicate_and_queryset_agree(make_article):
    recipe = current_recipe().fingerprint
    make_article("fresh")
    make_article("never indexed", synced=False)
    edited = make_article("edited")
    Article.objects.filter(pk=edited.pk).update(content_fingerprint="x" * 64)
    for asked in (recipe, "another recipe"):
        by_queryset = set(Article.objects.stale(asked).values_list("title", flat=True))
        assert by_queryset == {one.title for one in Article.objects.all() if one.is_stale(asked)}
    assert set(Article.objects.stale(recipe).values_list("title", flat=True)) == {"never indexed", "edited"}


@pytest.mark.parametrize(
    "change",
    [{"status": Status.DRAFT}, {"audience": Audience.INTERNAL}, {"revision": 99}, {"language": "de"}],
)
def test_passages_follow_their_article_at_once(make_article, change):
    article = make_article("Pause", "A pause costs 9 euros.")
    ids = list(article.passages.values_list("pk", flat=True))
    assert Passage.objects.answerable_by_id(ids, None, language="en").keys() == set(ids)
    Article.objects.filter(pk=article.pk).update(**change)
    assert Passage.objects.answerable_by_id(ids, None, language="en") == {}


def test_every_save_that_changes_the_text_is_a_revision(make_article):
    article = make_article("Pause", synced=False)
    first = article.revision
    article.save()
    assert article.revision == first
    article.audience = Audience.INTERNAL
    article.save()
    assert article.revision == first
    article.body = "Another text."
    article.save(update_fields=["body"])
    article.refresh_from_db()
    assert article.revision == first + 1
    assert article.history.count() == 4
