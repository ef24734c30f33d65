"""What a reader can leaf through: categories with the articles that this reader may see.

Every list starts from `Article.objects.published().visible_to(user)`. A category in which nothing is visible
does not exist for the reader: its name alone could tell something.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from knowledge.models import Article, Category, Reader
from knowledge.searching import similar_article_ids

TOP_ARTICLES = 4  # per category on the home page
RELATED_ARTICLES = 5
_LISTED = ("title", "slug", "language", "category")  # what a link to an article says


@dataclass(frozen=True)
class CategoryEntry:
    category: Category
    article_count: int  # below it as well
    articles: tuple[Article, ...]  # the first few
    children: tuple["CategoryEntry", ...]


def category_entries(*, language: str, user: Reader, parent: Category | None = None) -> list[CategoryEntry]:
    """The categories directly below `parent` (None: the top) with what lies below them; no empty ones."""
    below: dict[int | None, list[Category]] = {}
    for category in Category.objects.filter(language=language):
        below.setdefault(category.parent_id, []).append(category)
    visible = (
        Article.objects.published()
        .visible_to(user)
        .filter(language=language, category__isnull=False)
        .order_by()
    )
    counts = dict(visible.values_list("category_id").annotate(Count("pk")))
    first: dict[int | None, list[Article]] = {}
    numbered = visible.annotate(
        place=Window(RowNumber(), partition_by=F("category_id"), order_by=[F("title").asc()])
    )
    for article in numbered.filter(place__lte=TOP_ARTICLES).only(*_LISTED).order_by("title"):
        first.setdefault(article.category_id, []).append(article)

    def entry(category: Category, path: frozenset[int]) -> CategoryEntry | None:
        if category.pk in path:  # a circle of parents, which only raw SQL can make, ends here
            return None
        inside = [entry(child, path | {category.pk}) for child in below.get(category.pk, [])]
        children = tuple(child for child in inside if child is not None)
        count = counts.get(category.pk, 0) + sum(child.article_count for child in children)
        if not count:
            return None
        articles = [
            *first.get(category.pk, []),
            *(article for child in children for article in child.articles),
        ]
        return CategoryEntry(category, count, tuple(articles[:TOP_ARTICLES]), children)

    found = [entry(category, frozenset()) for category in below.get(parent.pk if parent else None, [])]
    return [one for one in found if one is not None]


def is_readable(category: Category, *, user: Reader) -> bool:
    """Whether this reader may see an article in it or below it."""
    own = Article.objects.published().visible_to(user).filter(category=category)
    return own.exists() or bool(category_entries(language=category.language, user=user, parent=category))


def topics_of(article_ids: Collection[int], *, user: Reader) -> list[Category]:
    """The outermost categories of those of the articles that this reader may see, by name."""
    visible = Article.objects.published().visible_to(user).filter(pk__in=article_ids)
    homes = Category.objects.filter(pk__in=visible.order_by().values("category_id").distinct())
    return sorted(
        {ancestors(home)[0] for home in homes.select_related("parent__parent")}, key=lambda one: one.name
    )


def article_ids_below(category: Category, *, user: Reader) -> list[int]:
    """Of all articles in the category and in those inside it that this reader may see."""
    inside: set[int] = set()
    deeper = {category.pk}
    while deeper:
        inside |= deeper
        children = Category.objects.filter(parent_id__in=deeper).values_list("pk", flat=True)
        deeper = set(children) - inside
    visible = Article.objects.published().visible_to(user).filter(category_id__in=inside)
    return list(visible.values_list("pk", flat=True))


def ancestors(category: Category | None) -> list[Category]:
    """The way down to a category, outermost first, itself last."""
    path: list[Category] = []
    while category is not None and category not in path:
        path.insert(0, category)
        category = category.parent
    return path


def translations_of(article: Article, *, user: Reader) -> dict[str, Article]:
    """The other languages of an article that this reader may see, by language code."""
    if not article.translation_group:
        return {}
    others = (
        Article.objects.published()
        .visible_to(user)
        .filter(translation_group=article.translation_group)
        .exclude(language=article.language)
        .defer("body")
    )
    return {other.language: other for other in others}


def successor_of(slug: str, *, language: str, user: Reader) -> Article | None:
    """What an article of this address was merged into, as this reader may see it: in `language` where there is that."""
    gone = Article.objects.filter(slug=slug, merged_into__isnull=False)
    own_first = sorted(gone.only("language", "merged_into_id"), key=lambda one: one.language != language)
    readable = Article.objects.published().visible_to(user).defer("body")
    for one in own_first:
        found = readable.filter(pk__in=[one.merged_into_id]).first()
        if found is not None:
            return (
                translations_of(found, user=user).get(language, found)
                if found.language != language
                else found
            )
    return None


def counterpart_of(category: Category, *, language: str, user: Reader) -> Category | None:
    """The category in another language where most of this one's articles have their translation.

    Categories are no translations of each other in the database; their articles are.
    """
    groups = (
        Article.objects.published()
        .visible_to(user)
        .filter(category=category)
        .exclude(translation_group="")
        .values("translation_group")
    )
    homes = (
        Article.objects.published()
        .visible_to(user)
        .filter(language=language, translation_group__in=groups, category__isnull=False)
        .values_list("category_id", flat=True)
    )
    most_common = Counter(homes).most_common(1)
    return Category.objects.get(pk=most_common[0][0]) if most_common else None


def related_articles(article: Article, *, user: Reader) -> list[Article]:
    """Those whose words are nearest to its title, then its neighbours in the category."""
    near = similar_article_ids(article, user=user)
    found = (
        Article.objects.published()
        .visible_to(user)
        .filter(Q(pk__in=near) | Q(category_id=article.category_id, category_id__isnull=False))
        .filter(language=article.language)
        .exclude(pk=article.pk)
        .defer("body")
    )
    place = {key: number for number, key in enumerate(near)}
    return sorted(found, key=lambda one: (place.get(one.pk, len(near)), one.title))[:RELATED_ARTICLES]
