"""What would this change? The page of a replay, and the ways to one.

Whoever may change articles and read questions may ask for one (`knowledge.change_article`, `assistant.view_question`).
Nothing here compares (`assistant.whatif`); nothing here publishes, archives or merges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from assistant.admin.story import TONES, Meter
from assistant.models import ConfidenceLevel, Question, TicketReason
from assistant.replays import (
    Difference,
    Judged,
    Replay,
    ReplayedQuestion,
    ReplayedText,
    ReplayKind,
    ReplayState,
)
from assistant.whatif import running
from assistant.whatif.comparing import NOTICEABLE
from assistant.whatif.questions import MOST
from assistant.whatif.subject import as_worked_on, has_index_moved, is_out_of_date
from knowledge.admin.advice import title_of
from knowledge.advice import Kind
from knowledge.markdown import render_fragment
from knowledge.models import Article, Audience, Language
from knowledge.workflow import has_news

_ON_A_PAGE: Final = 20
_LISTED: Final = 30  # replays
_MOST_ARCHIVED: Final = 100  # articles at once
_MOST_PUBLISHED: Final = 20  # texts at once: what is new in them is embedded first, about a second each
_MAX_TITLE: Final = 500  # characters
_REFRESH_SECONDS: Final = "2"

_STATE_TONES: Final = {
    ReplayState.WAITING: "quiet",
    ReplayState.RUNNING: "notice",
    ReplayState.DONE: "good",
    ReplayState.FAILED: "bad",
    ReplayState.CANCELLED: "quiet",
}
_KIND_TONES: Final = {
    Difference.LOST: "bad",
    Difference.CHANGED: "notice",
    Difference.GAINED: "good",
    Difference.MOVED: "quiet",
    Difference.LESS_SURE: "notice",
    Difference.SURER: "good",
}
_JUDGED_TONES: Final = {Judged.RIGHT: "good", Judged.WRONG: "bad", Judged.MISSED: "bad", Judged.OPEN: "quiet"}
_HEADINGS: Final[dict[ReplayKind, Promise]] = {
    ReplayKind.PUBLISH: gettext_lazy("What would change if this were published?"),
    ReplayKind.ARCHIVE: gettext_lazy("What would change if this were archived?"),
    ReplayKind.MERGE: gettext_lazy("What would change if these articles were merged?"),
}


@dataclass(frozen=True)
class Choice:
    """A filter with the number of questions behind it."""

    label: str
    count: int
    tone: str
    address: str
    is_chosen: bool


@dataclass(frozen=True)
class Side:
    """What a customer would get, before or after."""

    name: str
    outcome: dict[str, Any]  # `assistant.whatif.comparing.Outcome`
    blocks: list[tuple[SafeString, list[int]]]  # of the answer, with the numbers of their citations
    reason: str  # why nothing is answered, for people
    meter: Meter
    judged: str  # for people; empty: nobody has judged the question
    judged_tone: str
    repeats: bool = False  # the answer of the other side, word for word


@dataclass(frozen=True)
class Row:
    question: Question
    kind: str
    tone: str
    times: int
    sides: tuple[Side, Side]


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    _may_look(request)
    replays = list(Replay.objects.select_related("created_by").prefetch_related(*_SUBJECT)[:_LISTED])
    return TemplateResponse(
        request,
        "admin/whatif/overview.html",
        {
            **admin.site.each_context(request),
            "title": _("What would this change?"),
            "replays": [(one, _subject(one), _STATE_TONES[ReplayState(one.state)]) for one in replays],
        },
    )


@require_POST
def publish_view(request: HttpRequest, pk: int) -> HttpResponse:
    """From the form of an article, with what stands in it, saved or not; `?with=` names others that come along."""
    _may_ask(request)
    article = get_object_or_404(Article, pk=pk)
    if not _take_text(request, article):
        return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[pk]))
    others = [one for one in _named(request, "with", _MOST_PUBLISHED) if one.pk != pk and has_news(one)]
    return _to(running.try_publishing([article, *map(as_worked_on, others)], by=request.user))


@require_http_methods(["GET", "POST"])
def publish_several_view(request: HttpRequest) -> HttpResponse:
    """Texts that would go online together, as they were saved last."""
    _may_ask(request)
    articles = _named(request, "article", _MOST_PUBLISHED)
    known = [article for article in articles if not has_news(article)]
    texts = [as_worked_on(article) for article in articles if article not in known]
    if not texts:
        messages.error(request, _("Choose articles with a text that customers do not read yet."))
        return HttpResponseRedirect(reverse("admin:knowledge_article_changelist"))
    if request.method == "POST":
        return _to(running.try_publishing(texts, by=request.user))
    return TemplateResponse(
        request,
        "admin/whatif/publish.html",
        {
            **admin.site.each_context(request),
            "title": _HEADINGS[ReplayKind.PUBLISH],
            "texts": texts,
            "known": known,
            "most": MOST,
        },
    )


@require_http_methods(["GET", "POST"])
def archive_view(request: HttpRequest) -> HttpResponse:
    _may_ask(request)
    articles = _named(request, "article", _MOST_ARCHIVED)
    if not articles:
        messages.error(request, _("Choose at least one article."))
        return HttpResponseRedirect(reverse("admin:knowledge_article_changelist"))
    if request.method == "POST":
        return _to(running.try_archiving(articles, by=request.user))
    return TemplateResponse(
        request,
        "admin/whatif/archive.html",
        {
            **admin.site.each_context(request),
            "title": _HEADINGS[ReplayKind.ARCHIVE],
            "articles": articles,
            "most": MOST,
        },
    )


@require_POST
def merge_view(request: HttpRequest, kept: int, other: int) -> HttpResponse:
    """From the form that merges two articles, with what stands in it."""
    _may_ask(request)
    stays, goes = get_object_or_404(Article, pk=kept), get_object_or_404(Article, pk=other)
    if stays.pk == goes.pk or not _take_text(request, stays):
        query = urlencode({"article": [kept, other]}, doseq=True)
        return HttpResponseRedirect(f"{reverse('admin:knowledge_article_merge')}?{query}")
    return _to(running.try_merging(stays, goes, by=request.user))


@require_GET
def replay_view(request: HttpRequest, pk: int) -> HttpResponse:
    _may_look(request)
    replays = Replay.objects.select_related("created_by").prefetch_related(*_SUBJECT)
    replay = get_object_or_404(replays, pk=pk)
    texts = list(replay.texts.all())
    audiences = sorted({text.audience for text in texts} - {Audience.PUBLIC})
    found = replay.questions.select_related("question")
    kind = request.GET.get("kind", "")
    kind = kind if kind in Difference.values else ""
    only_judged = "judged" in request.GET
    if kind:
        found = found.filter(kind=kind)
    if only_judged:
        found = found.exclude(judged_before="")
    page = Paginator(found, _ON_A_PAGE).get_page(request.GET.get("page"))
    compared = sum(replay.counts.values())
    same = replay.counts.get(Difference.SAME, 0)
    response = TemplateResponse(
        request,
        "admin/whatif/replay.html",
        {
            **admin.site.each_context(request),
            "title": _HEADINGS[ReplayKind(replay.kind)],
            "replay": replay,
            "subject": _subject(replay),
            "tone": _STATE_TONES[ReplayState(replay.state)],
            "texts": texts,
            "concerned": len(replay.editions),
            "withdrawn": replay.withdrawn.all(),
            "compared": compared,
            "different": compared - same,
            "same": same,
            "choices": _choices(replay, kind, only_judged),
            "rows": [_row(one) for one in page.object_list],
            "page": page,
            "kept": urlencode(
                [*([("kind", kind)] if kind else []), *([("judged", "1")] if only_judged else [])]
            ),
            "is_filtered": bool(kind or only_judged),
            "disagreements": [(title_of(Kind(one["kind"])), one) for one in replay.disagreements],
            "is_out_of_date": is_out_of_date(replay),
            "has_index_moved": has_index_moved(replay),
            "audiences": [Audience(one).label for one in audiences],
            "noticeable_percent": round(100 * NOTICEABLE),
            "may_ask": _may_change(request),
            "article": texts[0].article_id if len(texts) == 1 else None,
        },
    )
    if replay.is_unfinished:
        response.headers["Refresh"] = _REFRESH_SECONDS  # needs no script
    return response


@require_POST
def stop_view(request: HttpRequest, pk: int) -> HttpResponse:
    _may_ask(request)
    replay = get_object_or_404(Replay, pk=pk)
    if running.cancel(replay):
        messages.success(request, _("Stopped. Nothing has changed."))
    else:
        messages.info(request, _("It had ended already."))
    return _to(replay)


PAGES = (
    ("", overview, "whatif"),
    ("publish/<int:pk>/", publish_view, "whatif_publish"),
    ("publish/", publish_several_view, "whatif_publish_several"),
    ("archive/", archive_view, "whatif_archive"),
    ("merge/<int:kept>/<int:other>/", merge_view, "whatif_merge"),
    ("<int:pk>/", replay_view, "whatif_replay"),
    ("<int:pk>/stop/", stop_view, "whatif_stop"),
)


def _take_text(request: HttpRequest, article: Article) -> bool:
    """Puts what was typed into the article, which is not saved. False, and a word why, where it is no article."""
    typed = request.POST
    article.title = typed.get("title", article.title).strip()
    # As the article's own form keeps it.
    article.body = typed.get("body", article.body).replace("\r\n", "\n").strip()
    if typed.get("language") in Language.values:
        article.language = typed["language"]
    if typed.get("audience") in Audience.values:
        article.audience = typed["audience"]
    article.translation_group = typed.get("translation_group", article.translation_group).strip()
    if not article.title or not article.body:
        messages.error(request, _("An article needs a title and a text before it can be tried."))
        return False
    if len(article.title) > _MAX_TITLE:
        messages.error(
            request,
            _("The title has %(found)d characters; at most %(limit)d are allowed.")
            % {"found": len(article.title), "limit": _MAX_TITLE},
        )
        return False
    return True


def _named(request: HttpRequest, parameter: str, most: int) -> list[Article]:
    numbers = [int(one) for one in request.GET.getlist(parameter)[:most] if one.isdecimal()]
    return list(Article.objects.filter(pk__in=numbers).order_by("title", "pk"))


_SUBJECT: Final = (
    Prefetch("texts", ReplayedText.objects.defer("body")),
    Prefetch("withdrawn", Article.objects.defer("body")),
)


def _subject(replay: Replay) -> str:
    """`replay` with `_SUBJECT` fetched, where there are many."""
    published = [text.title for text in replay.texts.all()]
    withdrawn = [article.title for article in replay.withdrawn.all()]
    if replay.kind == ReplayKind.MERGE and published:
        return f"{published[0]} ← {', '.join(withdrawn)}"
    titles = published or withdrawn
    if len(titles) <= 1:
        return titles[0] if titles else _("an article that was deleted")
    more = len(titles) - 1
    return ngettext("%(title)s and %(count)d more", "%(title)s and %(count)d more", more) % {
        "title": titles[0],
        "count": more,
    }


def _choices(replay: Replay, kind: str, only_judged: bool) -> list[Choice]:
    here = reverse("admin:whatif_replay", args=[replay.pk])
    shown = [Difference(one) for one in Difference if one is not Difference.SAME]
    found = {one: replay.counts.get(one, 0) for one in shown}
    choices = [Choice(_("All differences"), sum(found.values()), "", here, not kind and not only_judged)]
    choices += [
        Choice(str(one.label), count, _KIND_TONES[one], f"{here}?kind={one}", kind == one and not only_judged)
        for one, count in found.items()
        if count
    ]
    judged = replay.questions.exclude(judged_before="").count()
    if judged:
        choices.append(Choice(_("Judged by staff"), judged, "", f"{here}?judged=1", only_judged))
    return choices


def _row(one: ReplayedQuestion) -> Row:
    return Row(
        question=one.question,
        kind=str(Difference(one.kind).label),
        tone=_KIND_TONES[Difference(one.kind)],
        times=one.times,
        sides=(
            _side(_("Now"), one.before, one.judged_before),
            replace(
                _side(_("With this change"), one.after, one.judged_after),
                repeats=one.kind in (Difference.MOVED, Difference.SURER, Difference.LESS_SURE),
            ),
        ),
    )


def _side(name: str, outcome: dict[str, Any], judged: str) -> Side:
    level = ConfidenceLevel(outcome["level"])
    return Side(
        name=name,
        outcome=outcome,
        blocks=[(render_fragment(text), numbers) for text, numbers in outcome["blocks"]],
        reason=str(TicketReason(outcome["reason"]).label) if outcome["reason"] else "",
        # Rounded down on both sides: 0.699 must not look as if it had reached 0.70.
        meter=Meter(
            percent=int(outcome["score"] * 100),
            threshold_percent=int(outcome["threshold"] * 100),
            level=str(level.label),
            tone=TONES[level],
        ),
        judged=str(Judged(judged).label) if judged else "",
        judged_tone=_JUDGED_TONES[Judged(judged)] if judged else "",
    )


def _to(replay: Replay) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:whatif_replay", args=[replay.pk]))


def _may_look(request: HttpRequest) -> None:
    _require(request, ("knowledge.view_article", "assistant.view_question"))


def _may_change(request: HttpRequest) -> bool:
    return bool(request.user.has_perms(_ASKERS))


def _may_ask(request: HttpRequest) -> None:
    _require(request, _ASKERS)


_ASKERS: Final = ("knowledge.change_article", "assistant.view_question")


def _require(request: HttpRequest, permissions: Sequence[str]) -> None:
    if not request.user.has_perms(permissions):
        raise PermissionDenied
