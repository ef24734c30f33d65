"""What can be said of a text by itself: how it reads, where its links lead, what does not belong to it."""

import re
from itertools import pairwise
from typing import Final

from django.contrib.auth import get_user_model

from knowledge.advice.findings import Finding, Kind
from knowledge.links import LinkSource, link_resolver
from knowledge.markdown import heading_anchors
from knowledge.models import Article, Passage
from knowledge.plaintext import markdown_parser, plain_text
from knowledge.sentences import split_sentences

_LONG_SENTENCE: Final = 35  # words
_LONG_PARAGRAPH: Final = 150  # words; a passage has 120 at most, so it would be cut
_MAX_SHOWN: Final = 5  # findings of a kind
_REPEATED_ELSEWHERE: Final = 3  # articles that hold the same paragraph
_LEAST_PARAGRAPH: Final = 40  # characters, to be looked for elsewhere
_VOWELS: Final = re.compile(r"[aeiouyäöü]+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")

# What pages carry around their text, and copies of them bring along.
_BOILERPLATE: Final = re.compile(
    r"""
    newsletter[\w\ „“"]*\ abonnieren | jetzt\ abonnieren | (?:subscribe\ to|sign\ up\ for)\ our\ newsletter
    | zum\ (?:haupt)?inhalt\ springen | skip\ to\ (?:main\ )?content | jump\ to\ (?:navigation|search)
    | \bmin(?:\.|uten)?\ lesedauer | \bmin(?:ute)?\ read\b | table\ of\ contents | inhaltsverzeichnis
    | anbieter\ zum\ thema | weitere\ artikel\ zum\ thema | mehr\ zum\ thema | das\ könnte\ sie\ auch | lesen\ sie\ auch
    | read\ more: | verpassen\ sie\ nicht\ unsere | \(visited\ \d+\ times
    | vor\ spambots\ geschützt | javascript\ (?:eingeschaltet|aktiviert|enabled)
    | alle\ rechte\ vorbehalten | all\ rights\ reserved | cookie[-\ ](?:einstellungen|richtlinie|policy|settings)
    | einwilligungserklärung | aufklappen\ für\ details
    | \bteilen\ auf\ (?:facebook|twitter|linkedin|x)\b | \bshare\ (?:this|on)\b
    | was\ this\ (?:article|page)\ helpful | war\ dieser\ artikel\ hilfreich
    | ^(?:quelle|source|bildquelle|bild|foto|image|photo)\s*: | \((?:bild|foto|image|photo)\s*:
    | zuletzt\ aktualisiert: | last\ updated:
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


def check_wording(article: Article, *, looks_elsewhere: bool = True) -> list[Finding]:
    """`looks_elsewhere` for paragraphs that other articles have as well, which reads all their passages."""
    text = plain_text(article.body, list_markers=False)
    return [
        *_boilerplate(article, text, looks_elsewhere),
        *_repeated(text),
        *_links(article),
        *_long_paragraphs(article),
        *_readability(article, text),
        *_translation(article),
    ]


def _boilerplate(article: Article, text: str, looks_elsewhere: bool) -> list[Finding]:
    found: list[Finding] = []
    for line in text.split("\n"):
        match = _BOILERPLATE.search(line)
        if match:
            found.append(Finding(Kind.BOILERPLATE, _short(line), detail=match[0].strip()))
    paragraphs = (
        [line for line in text.split("\n") if len(line) >= _LEAST_PARAGRAPH][:30] if looks_elsewhere else []
    )
    for line in paragraphs:
        holders = (
            Passage.objects.filter(text__contains=line[:200])
            .exclude(article_id=article.pk)
            .order_by()
            .values("article_id")
            .distinct()[:_REPEATED_ELSEWHERE]
        )
        if len(holders) >= _REPEATED_ELSEWHERE:
            found.append(Finding(Kind.BOILERPLATE, _short(line)))
    return found[: 2 * _MAX_SHOWN]


def _repeated(text: str) -> list[Finding]:
    seen: set[str] = set()
    found: list[Finding] = []
    for line in text.split("\n"):
        key = " ".join(line.casefold().split())
        if len(key) >= _LEAST_PARAGRAPH:
            if key in seen:
                found.append(Finding(Kind.REPEATED, _short(line)))
            seen.add(key)
    return found[:_MAX_SHOWN]


def _links(article: Article) -> list[Finding]:
    """Links that look like they lead to an article and do not, and to places that this one does not have."""
    editor = get_user_model()(is_staff=True)  # a link to an internal article is not dead
    resolve = link_resolver(
        article.body, language=article.language, user=editor, stands_in=LinkSource.of(article)
    )
    anchors = {heading.anchor for heading in heading_anchors(article.body)}
    found: dict[str, Finding] = {}
    for href, words in _hrefs(article.body):
        if href.startswith("#"):
            if href[1:] not in anchors:
                found.setdefault(href, Finding(Kind.ANCHOR, words, detail=href))
        elif _is_internal(href, article) and resolve(href) is None:
            found.setdefault(href, Finding(Kind.LINK, words, detail=href))
    return list(found.values())[: 2 * _MAX_SHOWN]


def _is_internal(href: str, article: Article) -> bool:
    if href.lower().startswith("article:"):
        return True
    if re.match(r"[a-z][a-z0-9+.-]*:|//", href, re.IGNORECASE):
        return "/hc/" in href and "/articles/" in href and bool(article.source)
    return not re.match(r"/(?:de|en)/(?:articles|categories)/|/media/|/$", href)


def _hrefs(body: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for token in markdown_parser().parse(body):
        href, words = "", ""
        for child in token.children or ():
            if child.type == "link_open":
                href, words = str(child.attrGet("href") or ""), ""
            elif child.type == "link_close":
                found.append((href, words))
                href = ""
            elif href:
                words += child.content
    return found


def _long_paragraphs(article: Article) -> list[Finding]:
    found: list[Finding] = []
    tokens = markdown_parser().parse(article.body)
    for before, token in pairwise(tokens):
        if before.type == "paragraph_open" and token.type == "inline":
            count = len(token.content.split())
            if count > _LONG_PARAGRAPH:
                found.append(Finding(Kind.LONG_PARAGRAPH, _short(token.content), values={"words": count}))
    return found[:_MAX_SHOWN]


def _readability(article: Article, text: str) -> list[Finding]:
    lines = [line for line in text.split("\n") if len(line.split()) >= 4]
    sentences = [line[start:end] for line in lines for start, end in split_sentences(line)]
    listed = _WORD.findall(" ".join(sentences))
    found = [
        Finding(Kind.LONG_SENTENCES, _short(sentence, 400), values={"words": len(sentence.split())})
        for sentence in sorted(sentences, key=lambda one: -len(one.split()))
        if len(sentence.split()) > _LONG_SENTENCE
    ][:3]
    if len(listed) >= 100:
        ease = reading_ease(len(listed), len(sentences), sum(map(_syllables, listed)), article.language)
        if ease < 30:
            found.append(Finding(Kind.HARD_TO_READ, "", values={"ease": round(ease)}))
    return found


def reading_ease(words: int, sentences: int, syllables: int, language: str) -> float:
    """0 very hard .. 100 very easy: Flesch (1948) for English, Amstad (1978) for German."""
    length, weight = words / max(sentences, 1), syllables / max(words, 1)
    if language == "de":
        return 180 - length - 58.5 * weight
    return 206.835 - 1.015 * length - 84.6 * weight


def _syllables(word: str) -> int:
    return max(len(_VOWELS.findall(word)), 1)


def _translation(article: Article) -> list[Finding]:
    group = article.translation_group
    has_twin = bool(group) and Article.objects.filter(translation_group=group).exclude(pk=article.pk).exists()
    return [] if has_twin else [Finding(Kind.TRANSLATION, "")]


def _short(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else f"{text[:limit].rsplit(' ', 1)[0]} …"
