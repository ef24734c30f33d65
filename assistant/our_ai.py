"""What the site tells everybody about its AI: which models take part, where data goes, how sure is sure enough.

Promise: what the page states comes from the setting, the row or the constant that makes it true, so that it changes
with them. Settings, the calibration and the index are read for each page; what has to be counted is counted every few
minutes in each process. No figure is given of so few questions or votes that it could point to somebody.

Refuses to decide: the words, which are the template's.
"""

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Max, Q
from django.utils import timezone
from django.utils.dateparse import parse_date

from assistant.calibration.store import Standing, standing
from assistant.models import Channel, Feedback, Question, QuestionStatus
from assistant.writers import EXTRACTIVE
from knowledge import generations
from knowledge.models import Article, Audience, Language

PERIOD: Final = timedelta(days=90)
ENOUGH_QUESTIONS: Final = 50
ENOUGH_VOTES: Final = 20
_COUNTED_AGAIN_AFTER: Final = 300  # seconds

_PROVIDERS: Final = {
    "anthropic": "Anthropic",
    "azure_ai": "Microsoft Azure",
    "azure_openai": "Microsoft Azure",
    "bedrock": "Amazon Web Services",
    "bedrock_converse": "Amazon Web Services",
    "cohere": "Cohere",
    "deepseek": "DeepSeek",
    "google_genai": "Google",
    "google_vertexai": "Google",
    "groq": "Groq",
    "huggingface": "Hugging Face",
    "mistralai": "Mistral AI",
    "ollama": "Ollama",
    "openai": "OpenAI",
    "perplexity": "Perplexity",
    "together": "Together AI",
    "xai": "xAI",
}
# Where the providers' packages look for another server, if WRITER_BASE_URL names none.
_ADDRESS_VARIABLES: Final = {
    "anthropic": ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"),
    "ollama": ("OLLAMA_HOST",),
    "openai": ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
}
_RUNS_AT_HOME: Final = frozenset({"ollama"})  # without an address of its own: on the same computer
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class WriterKind(StrEnum):
    QUOTES = "quotes"  # no language model takes part
    MODEL = "model"
    CUSTOM = "custom"  # of the operator's own making


class Destination(StrEnum):
    """Where a question goes to be answered."""

    HERE = "here"  # it stays on the computers of the site
    OPERATOR = "operator"  # another computer in the operator's network
    ELSEWHERE = "elsewhere"  # `Writer.receiver`
    UNKNOWN = "unknown"  # the operator's own writer decides


@dataclass(frozen=True)
class Writer:
    kind: WriterKind
    model: str = ""
    provider: str = ""
    destination: Destination = Destination.HERE
    receiver: str = ""  # who gets the question: a provider's or a server's name


@dataclass(frozen=True)
class Models:
    """All that take part in an answer; empty names: none is set."""

    embedder: str
    recipe: str  # 12 hex digits of the fingerprint; empty: nothing is indexed yet
    indexed_since: datetime | None
    reranker: str
    grounding: str
    writer: Writer
    index_at: str  # a server outside the operator's network that holds the vectors; empty: there is none


@dataclass(frozen=True)
class TicketSystem:
    """Where requests for the team are handed over to."""

    name: str  # Zammad | Zendesk
    host: str  # empty: in the operator's own network


class Basis(StrEnum):
    SITE = "site"  # questions to this site
    OPERATOR = "operator"  # a file of the operator's
    SHIPPED = "shipped"  # public question sets, elsewhere


@dataclass(frozen=True)
class Threshold:
    percent: int
    basis: Basis
    is_calibrated: bool  # False: found with another model, or for quotes while a language model writes
    is_set_aside: bool  # the site has a calibration that does not count beside the present settings
    since: datetime | date | None
    questions: int  # that it was found on
    sets: Sequence[str] = ()  # names of public ones
    answered: int | None = None
    wrong: int | None = None  # of the answered
    coverage_percent: float | None = None  # of the questions
    risk_percent: float | None = None  # of the answered
    # Answered, of the questions that no article answers though one comes near.
    near_miss_percent: float | None = None
    promised_risk_percent: float | None = None
    certainty_percent: float | None = None  # of the promise


@dataclass(frozen=True)
class Shelf:
    language: str  # de | en
    articles: int
    changed_at: datetime | None

    @property
    def get_language_display(self) -> str:
        return str(Language(self.language).label)


@dataclass(frozen=True)
class Figures:
    """Of the last `PERIOD`. Percentages add up to 100."""

    days: int
    questions: int | None  # None: too few to tell
    answered_percent: int = 0
    passed_on_percent: int = 0
    votes: int | None = None  # None: too few to tell
    helpful_percent: int = 0


@dataclass(frozen=True)
class OurAI:
    models: Models
    threshold: Threshold
    shelves: Sequence[Shelf]
    has_articles_for_some: bool  # that only signed-in customers may read
    figures: Figures
    tickets: TicketSystem | None

    @property
    def articles(self) -> int:
        return sum(shelf.articles for shelf in self.shelves)


def our_ai() -> OurAI:
    shelves, has_more, figures = _counted()
    return OurAI(
        models=_models(),
        threshold=_threshold(standing()),
        shelves=shelves,
        has_articles_for_some=has_more,
        figures=figures,
        tickets=ticket_system(),
    )


# --- models, and where data goes -----------------------------------------------------------------------------


def _models() -> Models:
    generation = generations.live()
    return Models(
        embedder=generation.embedder if generation is not None else "",
        recipe=generation.recipe[:12] if generation is not None else "",
        indexed_since=generation.live_at if generation is not None else None,
        reranker=_without_folders(settings.RERANKER_MODEL),
        grounding=_without_folders(settings.GROUNDING_MODEL),
        writer=writer_in_use(),
        index_at=_elsewhere(settings.CHROMA_URL),
    )


def writer_in_use() -> Writer:
    name = str(settings.ANSWER_WRITER)
    if name == EXTRACTIVE:
        return Writer(WriterKind.QUOTES)
    provider, is_model, model = name.partition(":")
    if not is_model:
        return Writer(WriterKind.CUSTOM, destination=Destination.UNKNOWN)
    shown = _PROVIDERS.get(provider, provider)
    address = settings.WRITER_BASE_URL or next(
        (found for key in _ADDRESS_VARIABLES.get(provider, ()) if (found := os.environ.get(key, ""))), ""
    )
    if not address:
        at_home = provider in _RUNS_AT_HOME
        destination = Destination.HERE if at_home else Destination.ELSEWHERE
        return Writer(WriterKind.MODEL, model, shown, destination, "" if at_home else shown)
    host = _host_of(address)
    destination = _place_of(host)
    return Writer(
        WriterKind.MODEL, model, shown, destination, host if destination is Destination.ELSEWHERE else ""
    )


def ticket_system() -> TicketSystem | None:
    """None where requests are answered here."""
    if not settings.HANDOFF_TO:
        return None
    return TicketSystem(settings.HANDOFF_TO.capitalize(), _elsewhere(settings.HANDOFF_URL))


def _elsewhere(address: str) -> str:
    """The server's name where it is outside the operator's network; else empty."""
    host = _host_of(address)
    return host if host and _place_of(host) is Destination.ELSEWHERE else ""


def _host_of(address: str) -> str:
    return urlsplit(address if "//" in address else f"//{address}").hostname or ""


def _place_of(host: str) -> Destination:
    """By its name alone: nothing is asked of a name server for a page."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            return Destination.HERE
        is_private = "." not in host or host.endswith((".internal", ".local", ".lan", ".home.arpa"))
        return Destination.OPERATOR if is_private else Destination.ELSEWHERE
    if address.is_loopback or address.is_unspecified:
        return Destination.HERE
    return Destination.OPERATOR if address.is_private else Destination.ELSEWHERE


def _without_folders(model: str) -> str:
    """A hub's name as it is; of a folder its last part: how an operator's disk is laid out is nobody's business."""
    is_folder = model.startswith((".", "/", "~"))
    return model.rstrip("/").rpartition("/")[2] if is_folder else model


# --- how sure is sure enough ---------------------------------------------------------------------------------


def _threshold(now: Standing) -> Threshold:
    percent = int(now.threshold * 100)
    live = now.live
    if now.is_site and live is not None:
        return Threshold(
            percent=percent,
            basis=Basis.SITE,
            is_calibrated=True,
            is_set_aside=False,
            since=live.live_at,
            questions=live.labelled,
            answered=live.answered,
            wrong=live.wrong,
            coverage_percent=_percent(live.answered, live.labelled),
            risk_percent=_percent(live.wrong, live.answered),
            promised_risk_percent=round(live.max_risk * 100, 1),
            certainty_percent=round(live.confidence * 100, 1),
        )
    model = now.model
    sets: dict[str, Any] = model.provenance.get("rows", {})
    overall: dict[str, Any] = model.provenance.get("overall", {})
    day = _DAY.search(model.fitted_on)
    return Threshold(
        percent=percent,
        basis=Basis.OPERATOR if model.is_own else Basis.SHIPPED,
        is_calibrated=now.is_for_this_recipe and settings.ANSWER_WRITER == EXTRACTIVE,
        is_set_aside=live is not None,
        since=parse_date(day.group()) if day else None,
        questions=sum(sets.values()),
        sets=() if model.is_own else tuple(sets),
        coverage_percent=_of_share(overall.get("coverage")),
        risk_percent=_of_share(overall.get("risk")),
        near_miss_percent=_of_share(overall.get("near_misses_answered")),
    )


def _of_share(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _percent(count: int, of: int) -> float | None:
    return round(100 * count / of, 1) if of else None


# --- what is counted -----------------------------------------------------------------------------------------

_Counted = tuple[tuple[Shelf, ...], bool, Figures]


def _counted() -> _Counted:
    key = "assistant.our_ai.counted"
    known: _Counted | None = cache.get(key)
    if known is None:
        known = (*_shelves(), _figures())
        cache.set(key, known, _COUNTED_AGAIN_AFTER)
    return known


def _shelves() -> tuple[tuple[Shelf, ...], bool]:
    """What the public may read, and whether there is more for customers. Of internal articles nothing is told."""
    rows = (
        Article.objects.published()
        .exclude(audience=Audience.INTERNAL)
        .order_by()
        .values_list("language", "audience")
        .annotate(Count("pk"), Max("updated_at"))
    )
    shelves = [
        Shelf(language, count, changed_at)
        for language, audience, count, changed_at in rows
        if audience == Audience.PUBLIC
    ]
    return tuple(sorted(shelves, key=lambda shelf: shelf.language)), len(rows) > len(shelves)


def _figures() -> Figures:
    since = timezone.now() - PERIOD
    is_answered = Q(status=QuestionStatus.ANSWERED)
    asked = (
        Question.objects.filter(created_at__gte=since)
        .exclude(status=QuestionStatus.RECEIVED)
        .exclude(channel=Channel.CLI)  # staff trying it out
        .aggregate(all=Count("pk"), answered=Count("pk", filter=is_answered))
    )
    voted = Feedback.objects.filter(question__created_at__gte=since).aggregate(
        all=Count("pk"), helpful=Count("pk", filter=Q(helpful=True))
    )
    answered = round(100 * asked["answered"] / asked["all"]) if asked["all"] else 0
    helpful = round(100 * voted["helpful"] / voted["all"]) if voted["all"] else 0
    return Figures(
        days=PERIOD.days,
        questions=asked["all"] if asked["all"] >= ENOUGH_QUESTIONS else None,
        answered_percent=answered,
        passed_on_percent=100 - answered,
        votes=voted["all"] if voted["all"] >= ENOUGH_VOTES else None,
        helpful_percent=helpful,
    )
