"""What a page says to search engines: schema.org as JSON-LD (https://schema.org/Article, /BreadcrumbList).

Pure: values in, dictionaries out. Addresses are absolute, because a crawler may keep them apart from the page.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from knowledge.models import Article, Category

Node = dict[str, Any]


def site_node(name: str, *, language: str, home: str, search: str) -> Node:
    return {
        "@context": "https://schema.org",
        "@type": "WebSite",
        "name": name,
        "url": absolute(home),
        "inLanguage": language,
        "potentialAction": {
            "@type": "SearchAction",
            "target": {"@type": "EntryPoint", "urlTemplate": f"{absolute(search)}?q={{search_term_string}}"},
            "query-input": "required name=search_term_string",
        },
    }


def article_node(
    article: Article, *, description: str, publisher: str, translations: Sequence[Article]
) -> Node:
    node: Node = {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": article.title[:110],
        "description": description,
        "inLanguage": article.language,
        "url": absolute(article.get_absolute_url()),
        "mainEntityOfPage": absolute(article.get_absolute_url()),
        "dateModified": article.updated_at.isoformat(timespec="seconds"),
        "publisher": {"@type": "Organization", "name": publisher, "url": settings.SITE_URL},
        "author": {"@type": "Organization", "name": publisher},
    }
    if article.published_at is not None:
        node["datePublished"] = article.published_at.isoformat(timespec="seconds")
    if article.category is not None:
        node["articleSection"] = article.category.name
    if translations:
        node["workTranslation"] = [
            {"@type": "Article", "inLanguage": one.language, "url": absolute(one.get_absolute_url())}
            for one in translations
        ]
    return node


def breadcrumb_node(home: tuple[str, str], trail: Sequence[Category], here: tuple[str, str]) -> Node:
    """`home` and `here` are a name and a path."""
    steps = [home, *((step.name, step.get_absolute_url()) for step in trail), here]
    return {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": absolute(path)}
            for position, (name, path) in enumerate(steps, start=1)
        ],
    }


def list_node(name: str, articles: Sequence[Article], *, language: str, url: str) -> Node:
    return {
        "@context": "https://schema.org",
        "@type": "CollectionPage",
        "name": name,
        "inLanguage": language,
        "url": absolute(url),
        "mainEntity": {
            "@type": "ItemList",
            "itemListElement": [
                {
                    "@type": "ListItem",
                    "position": position,
                    "name": article.title,
                    "url": absolute(article.get_absolute_url()),
                }
                for position, article in enumerate(articles, start=1)
            ],
        },
    }


def absolute(path: str) -> str:
    return f"{settings.SITE_URL}{path}"
