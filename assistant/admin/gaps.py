"""What to write next: gaps in the articles, one page for all and one for each.

Who may see questions may see them (`assistant.view_question`); who may write articles may begin a draft, and who may
change articles may set a gap aside. Nothing here groups or checks (`assistant.gaps`).
"""

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from assistant.gaps import refreshing
from assistant.gaps.drafting import draft_for, replies_for
from assistant.gaps.evidence import replied_tickets, samples_of, what_came_after
from assistant.wanted import Gap, GapQuestion, GapRefresh, GapState, RefreshState, Trouble
from knowledge.models import Language

_A_PAGE: Final = 20
_QUESTIONS_A_PAGE: Final = 50
_TONES: Final[dict[str, str]] = {
    Trouble.DECLINED: "notice",
    Trouble.WRONG: "bad",
    Trouble.NOT_HELPFUL: "bad",
    Trouble.ASKED_AGAIN: "notice",
    Trouble.TICKET: "notice",
}
# What the list can be narrowed to, by its address.
_SHOWN: Final[dict[str, tuple[Any, Q]]] = {
    "groups": (gettext_lazy("Groups"), Q(state=GapState.OPEN, size__gte=2)),
    "single": (gettext_lazy("Single questions"), Q(state=GapState.OPEN, size=1)),
    "set_aside": (gettext_lazy("Not for the help center"), Q(state=GapState.SET_ASIDE)),
    "answered": (gettext_lazy("Answered by now"), Q(state=GapState.ANSWERED)),
}


class SetAsideForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        help_text=gettext_lazy("For your colleagues: why this is not for the help center."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        error_messages={"required": gettext_lazy("Please say why, in a few words.")},
    )


@dataclass(frozen=True)
class Card:
    """A gap as it is shown."""

    gap: Gap
    samples: list[GapQuestion]
    troubles: list[tuple[str, str, int]]  # words, tone, questions
    trend: str  # more | fewer | same | new
    why: list[str]  # sentences: why the nearest article did not suffice
    replies: int  # solved tickets with a reply


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    _require(request, "assistant.view_question")
    refreshing.give_up_silent()
    shown = request.GET.get("show", "")
    shown = shown if shown in _SHOWN else "groups"
    language = request.GET.get("language", "")
    language = language if language in Language.values else ""
    gaps = _gaps().filter(_SHOWN[shown][1])
    if language:
        gaps = gaps.filter(language=language)
    if shown in ("set_aside", "answered"):
        gaps = gaps.order_by("-settled_at", "pk")
    within = Paginator(gaps, _A_PAGE).get_page(request.GET.get("p"))
    last, done = _refreshes()
    counts = _counts(language)
    response = TemplateResponse(
        request,
        "admin/gaps/page.html",
        {
            **admin.site.each_context(request),
            "title": _("What to write next"),
            "cards": _cards(list(within.object_list)),
            "within": within,
            "shown": shown,
            "tabs": [(key, words, counts[key], key == shown) for key, (words, _wanted) in _SHOWN.items()],
            "language": language,
            "languages": Language.choices,
            "last": last,
            "done": done,
            "is_running": last is not None and last.state == RefreshState.RUNNING,
            "has_failed": last is not None and last.state == RefreshState.FAILED,
            "may_write": request.user.has_perm("knowledge.add_article"),
            "may_set_aside": request.user.has_perm("knowledge.change_article"),
        },
    )
    if last is not None and last.state == RefreshState.RUNNING:
        response.headers["Refresh"] = "3"  # seconds; needs no script
    return response


@require_GET
def gap_view(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request, "assistant.view_question")
    return _gap_page(request, pk, SetAsideForm())


@require_POST
def refresh_view(request: HttpRequest) -> HttpResponse:
    _require(request, "assistant.view_question")
    try:
        refreshing.start()
    except refreshing.AlreadyRunning:
        messages.info(request, _("The questions are being grouped already."))
    return HttpResponseRedirect(reverse("admin:gaps"))


@require_POST
def draft_view(request: HttpRequest, pk: int) -> HttpResponse:
    """One click: a draft from what staff replied, and its form."""
    _require(request, "knowledge.add_article")
    _require(request, "assistant.view_question")
    gap = get_object_or_404(Gap.objects.select_related("draft"), pk=pk)
    is_new = gap.draft is None
    article = draft_for(gap, by=request.user)
    if is_new:
        LogEntry.objects.log_actions(request.user.pk, [article], CHANGE, "draft from replies")  # type: ignore[arg-type]
    may_change = request.user.has_perm("knowledge.change_article")
    if is_new and may_change:
        messages.info(request, _("A draft with what staff have replied. Go over it before anybody reads it."))
    name = "admin:knowledge_article_change" if may_change else "admin:gap"
    return HttpResponseRedirect(reverse(name, args=[article.pk if may_change else pk]))


@require_POST
def set_aside_view(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request, "knowledge.change_article")
    form = SetAsideForm(request.POST)
    if not form.is_valid():
        return _gap_page(request, pk, form)
    changed = (
        Gap.objects.filter(pk=pk)
        .exclude(state=GapState.SET_ASIDE)
        .update(
            state=GapState.SET_ASIDE,
            reason=form.cleaned_data["reason"],
            settled_by=request.user.pk,
            settled_at=timezone.now(),
        )
    )
    if changed:
        messages.success(
            request, _("Set aside. Questions that mean the same will join it and not come back to the list.")
        )
    return HttpResponseRedirect(reverse("admin:gaps"))


@require_POST
def reopen_view(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request, "knowledge.change_article")
    changed = Gap.objects.filter(pk=pk, state=GapState.SET_ASIDE).update(
        state=GapState.OPEN, reason="", settled_by=None, settled_at=None
    )
    if changed:
        messages.success(request, _("It is on the list again."))
    return HttpResponseRedirect(reverse("admin:gap", args=[pk]))


PAGES = (
    ("", page, "gaps"),
    ("refresh/", refresh_view, "gaps_refresh"),
    ("<int:pk>/", gap_view, "gap"),
    ("<int:pk>/draft/", draft_view, "gap_draft"),
    ("<int:pk>/set-aside/", set_aside_view, "gap_set_aside"),
    ("<int:pk>/reopen/", reopen_view, "gap_reopen"),
)


def _gap_page(request: HttpRequest, pk: int, form: SetAsideForm) -> HttpResponse:
    gap = get_object_or_404(_gaps(), pk=pk)
    members = gap.members.select_related("question__ticket", "question__feedback").defer(
        "question__confidence_signals"
    )
    within = Paginator(members.order_by("-nearness", "-question_id"), _QUESTIONS_A_PAGE).get_page(
        request.GET.get("p")
    )
    may_see_tickets = request.user.has_perm("assistant.view_ticket")
    return TemplateResponse(
        request,
        "admin/gaps/gap.html",
        {
            **admin.site.each_context(request),
            "title": _("Questions without a good answer"),
            "card": _cards([gap])[0],
            "gap": gap,
            "within": within,
            "members": [(one, _troubles(dict.fromkeys(one.troubles, 1))) for one in within.object_list],
            "after": what_came_after(gap),
            "replies": replies_for(gap),
            "form": form,
            "may_see_tickets": may_see_tickets,
            "may_write": request.user.has_perm("knowledge.add_article"),
            "may_set_aside": request.user.has_perm("knowledge.change_article"),
        },
        status=400 if form.is_bound else 200,
    )


def _gaps() -> QuerySet[Gap]:
    return Gap.objects.select_related("nearest", "draft", "answered_by", "settled_by").defer(
        "nearest__body", "draft__body", "answered_by__body"
    )


def _refreshes() -> tuple[GapRefresh | None, GapRefresh | None]:
    """The last one, and the last that came to its end."""
    known = list(GapRefresh.objects.all())
    return (known[0] if known else None), next((one for one in known if one.state == RefreshState.DONE), None)


def _counts(language: str) -> dict[str, int]:
    gaps = Gap.objects.filter(language=language) if language else Gap.objects.all()
    wanted = {key: Count("pk", filter=condition) for key, (_words, condition) in _SHOWN.items()}
    return dict(gaps.order_by().aggregate(**wanted))


def _cards(gaps: list[Gap]) -> list[Card]:
    samples, replied = samples_of(gaps), replied_tickets(gaps)
    return [
        Card(
            gap=gap,
            samples=samples.get(gap.pk, []),
            troubles=_troubles(gap.troubles),
            trend=_trend(gap),
            why=_why(gap),
            replies=replied.get(gap.pk, 0),
        )
        for gap in gaps
    ]


def _troubles(counted: dict[str, int]) -> list[tuple[str, str, int]]:
    return [
        (str(trouble.label), _TONES[trouble], counted[trouble]) for trouble in Trouble if trouble in counted
    ]


def _trend(gap: Gap) -> str:
    if gap.recent == gap.before:
        return "same"
    if not gap.before and gap.recent == gap.size:
        return "new"
    return "more" if gap.recent > gap.before else "fewer"


def _why(gap: Gap) -> list[str]:
    """Why what there is was not enough, in sentences."""
    if gap.nearest is None:
        return [_("No published article came near.")]
    found = []
    declined = gap.troubles.get(Trouble.DECLINED, 0)
    if declined and gap.confidence is not None and gap.threshold is not None:
        found.append(
            _("The confidence was %(found)d %% in the mean, and answers are given from %(needed)d %% on.")
            % {"found": int(gap.confidence * 100), "needed": int(gap.threshold * 100)}
        )
    elif declined:
        found.append(_("It was found, but nothing in it supported an answer."))
    wrong = gap.troubles.get(Trouble.WRONG, 0)
    if wrong:
        found.append(
            ngettext(
                "Staff marked %(count)d answer as wrong or incomplete.",
                "Staff marked %(count)d answers as wrong or incomplete.",
                wrong,
            )
            % {"count": wrong}
        )
    unhelpful = gap.troubles.get(Trouble.NOT_HELPFUL, 0)
    if unhelpful:
        found.append(
            ngettext(
                "%(count)d customer did not find the answer helpful.",
                "%(count)d customers did not find the answer helpful.",
                unhelpful,
            )
            % {"count": unhelpful}
        )
    went_on = gap.troubles.get(Trouble.ASKED_AGAIN, 0) + gap.troubles.get(Trouble.TICKET, 0)
    if went_on:
        found.append(
            ngettext(
                "%(count)d asked again or turned to a person after the answer.",
                "%(count)d asked again or turned to a person after the answer.",
                went_on,
            )
            % {"count": went_on}
        )
    if gap.nearest.language != gap.language:
        found.append(_("It is written in another language than the questions."))
    if gap.missing_words:
        found.append(
            _("Words of the questions that it does not have: %(words)s.")
            % {"words": ", ".join(gap.missing_words)}
        )
    return found


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
