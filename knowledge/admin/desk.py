"""The article page as a desk: what is worked on, where it stands, and the next step.

The form shows the working copy: the change in preparation where there is one, else the article. Saving never puts
anything online; a step does (`knowledge.workflow`), and says who took it.
"""

from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.admin.display import badge
from knowledge.changes import Kept, pending_change, working_copy
from knowledge.models import Article, Deed, PendingChange, Status, WorkflowEntry
from knowledge.workflow import (
    PUBLISH,
    Stage,
    Step,
    StepRefused,
    approval_of,
    field_names,
    stage_of,
    steps_for,
    take_step,
)

STATUS_TONES: Final = {
    Status.DRAFT: "quiet",
    Status.IN_REVIEW: "notice",
    Status.PUBLISHED: "good",
    Status.ARCHIVED: "quiet",
}
_CHANGE_LABELS: Final[dict[str, Promise]] = {
    "draft": gettext_lazy("Change in preparation"),
    "in_review": gettext_lazy("Change in review"),
    "scheduled": gettext_lazy("Change scheduled"),
}
# They belong to what is typed into the form, and save it first.
_IN_FORM: Final = {"_submit": Step.SUBMIT, "_publish": Step.PUBLISH}
_DONE: Final[dict[str, Promise]] = {
    Deed.SUBMITTED: gettext_lazy(
        "Submitted for review. Whoever may approve finds it in the list under “In review”."
    ),
    Deed.TAKEN_BACK: gettext_lazy("Taken back: it is a draft again."),
    Deed.SENT_BACK: gettext_lazy("Sent back with your comment."),
    Deed.APPROVED: gettext_lazy("Approved. Somebody who may publish puts it online."),
    Deed.SCHEDULED: gettext_lazy("Scheduled: it goes online by itself."),
    Deed.UNSCHEDULED: gettext_lazy("Taken out of the schedule: it is a draft again."),
    Deed.PUBLISHED: gettext_lazy("Published. Customers see it now."),
    Deed.CHANGED: gettext_lazy("The change is published. Customers see it now."),
    Deed.ARCHIVED: gettext_lazy("Archived: nobody reads it or is answered from it any more."),
    Deed.REOPENED: gettext_lazy("It is a draft now, and offline."),
    Deed.DISCARDED: gettext_lazy("The change is discarded. Its text stays in the revisions."),
}
_MEANS: Final[dict[Step, Promise]] = {
    Step.TAKE_BACK: gettext_lazy("It becomes a draft again, and nobody has to review it."),
    Step.SEND_BACK: gettext_lazy(
        "It becomes a draft again. Whoever submitted it gets your comment by e-mail."
    ),
    Step.APPROVE: gettext_lazy("You have read it and found it right. Any later edit makes this void."),
    Step.UNSCHEDULE: gettext_lazy("It stays offline until somebody publishes it."),
    Step.DISCARD: gettext_lazy(
        "Customers go on reading the published text. What was prepared stays in the revisions."
    ),
    Step.REOPEN: gettext_lazy("Nobody reads it or is answered from it until it is published again."),
    Step.ARCHIVE: gettext_lazy(
        "From now on nobody reads it or is answered from it. It stays here, with its history."
    ),
    Step.SUBMIT: gettext_lazy("Somebody who may approve is asked to read it."),
    Step.PUBLISH: gettext_lazy("Customers read it and are answered from it."),
}


@dataclass(frozen=True)
class Button:
    name: str
    label: Any
    is_default: bool = False


@dataclass(frozen=True)
class Standing:
    """What the top of the page says."""

    badges: tuple[SafeString, ...]
    sentence: str
    entry: WorkflowEntry | None  # the last step
    approval: WorkflowEntry | None
    steps: tuple[Step, ...]  # that need nothing from the form
    overtaken: tuple[str, ...]  # names of fields
    has_change: bool


class StepForm(forms.Form):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "vLargeTextField"}),
    )

    def __init__(self, *arguments: Any, step: Step, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["comment"].required = step is Step.SEND_BACK


def lay_over(article: Article) -> Article:
    """The row with the working copy on top; `on_site` and `pending` tell what it was made of."""
    article.on_site = article.get_absolute_url()  # type: ignore[attr-defined]
    change = article.pending = pending_change(article)  # type: ignore[attr-defined]
    copy = working_copy(article, change)
    article.overtaken = copy.overtaken  # type: ignore[attr-defined]
    if change is not None:
        for name, value in copy.content.items():
            setattr(article, name, value)
        article.publish_at = change.publish_at
    return article


def standing_of(article: Article, user: User) -> Standing:
    """Of an article as `lay_over` returns it; reads the row anew."""
    stored = Article.objects.get(pk=article.pk)
    change = pending_change(stored)
    stage = stage_of(stored, change)
    in_form = {Step.PUBLISH} | ({Step.SUBMIT} if stage is Stage.DRAFT else set())
    return Standing(
        badges=badges_of(stored, change.state if change else None),
        sentence=_sentence(stored, change),
        entry=stored.workflow.select_related("by").first(),
        approval=approval_of(stored, change) if stage is Stage.IN_REVIEW else None,
        steps=tuple(step for step in steps_for(stored, change, user) if step not in in_form),
        overtaken=tuple(field_names(getattr(article, "overtaken", ()))),
        has_change=change is not None,
    )


def buttons_for(article: Article | None, user: User) -> list[Button]:
    """What saves the form, the harmless one first: Enter in a field presses it."""
    may_publish = user.has_perm(PUBLISH)
    stage, has_change, is_online = Stage.DRAFT, False, False
    if article is not None:
        change = getattr(article, "pending", None)
        stored = Article.objects.only("status", "publish_at", "unpublish_at").get(pk=article.pk)
        stage, has_change, is_online = stage_of(stored, change), change is not None, stored.is_online()
    is_draft = stage in (Stage.DRAFT, Stage.ONLINE)
    buttons = [
        Button("_save", _("Save as a draft") if is_draft else _("Save"), is_default=not may_publish),
        Button("_continue", _("Save and continue editing")),
    ]
    if is_draft:
        buttons.append(Button("_submit", _("Submit for review")))
    if may_publish:
        label = _("Publish the change") if is_online or has_change else _("Publish")
        if stage is Stage.IN_REVIEW:
            label = _("Approve and publish")
        buttons.append(Button("_publish", label, is_default=True))
    return buttons


def badges_of(article: Article, change_state: str | None) -> tuple[SafeString, ...]:
    label, tone = article.get_status_display(), STATUS_TONES[Status(article.status)]
    if article.is_scheduled():
        label, tone = _("Scheduled"), "notice"
    elif article.is_over():
        label, tone = _("Ended"), "quiet"
    first = badge(label, tone, _date_title(article))
    if change_state is None:
        return (first,)
    return (first, badge(_CHANGE_LABELS[change_state], "quiet" if change_state == "draft" else "notice"))


def pressed(request: HttpRequest) -> Step | None:
    return next((step for name, step in _IN_FORM.items() if name in request.POST), None)


def take_pressed(request: HttpRequest, article: Article, user: User) -> HttpResponse | None:
    """The step that the form's button asked for, after its text was saved; None where it asked for none."""
    step = pressed(request)
    if step is None:
        return None
    _take(request, step, article, user)
    return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[article.pk]))


def step_page(
    request: HttpRequest, article: Article, step: Step, user: User, context: dict[str, Any]
) -> HttpResponse:
    """Asks for a comment, then takes the step."""
    form = StepForm(request.POST or None, step=step)
    if request.method == "POST" and form.is_valid():
        _take(request, step, article, user, comment=form.cleaned_data["comment"])
        return HttpResponseRedirect(reverse("admin:knowledge_article_change", args=[article.pk]))
    return TemplateResponse(
        request,
        "admin/knowledge/article/step.html",
        {
            **context,
            "title": step.label,
            "subtitle": None,
            "article": article,
            "step": step,
            "means": _MEANS[step],
            "form": form,
            "is_grave": step in (Step.ARCHIVE, Step.REOPEN, Step.DISCARD),
        },
    )


def tell_kept(request: HttpRequest, kept: Kept, *, is_online: bool) -> None:
    if kept is Kept.IN_CHANGE and pressed(request) is None:
        text = (
            _("Saved as a change in preparation. Customers go on reading the published text.")
            if is_online
            else _("Saved as a change in preparation.")
        )
        messages.info(request, text)


def _take(request: HttpRequest, step: Step, article: Article, user: User, *, comment: str = "") -> None:
    try:
        deed = take_step(step, article=article, by=user, comment=comment)
    except StepRefused as reason:
        messages.error(request, str(reason))
    else:
        messages.success(request, str(_DONE[deed]))


def _sentence(article: Article, change: PendingChange | None) -> str:
    parts = []
    if article.is_scheduled():
        parts.append(_("Goes online on %(moment)s.") % {"moment": _moment(article.publish_at)})
    elif article.is_over():
        parts.append(_("Offline since %(moment)s.") % {"moment": _moment(article.unpublish_at)})
    elif change is not None and article.is_online():
        parts.append(_("Customers read the published text; below is the change that is being prepared."))
    if change is not None and change.state == "scheduled":
        parts.append(_("The change goes online on %(moment)s.") % {"moment": _moment(change.publish_at)})
    if article.unpublish_at is not None and not article.is_over():
        parts.append(_("Goes offline on %(moment)s.") % {"moment": _moment(article.unpublish_at)})
    if article.review_by is not None and article.review_by <= timezone.localdate():
        day = formats.date_format(article.review_by, "SHORT_DATE_FORMAT")
        parts.append(_("To be checked since %(day)s.") % {"day": day})
    return " ".join(parts)


def _date_title(article: Article) -> str:
    if article.is_scheduled():
        return _("Goes online on %(moment)s.") % {"moment": _moment(article.publish_at)}
    if article.unpublish_at is not None and article.status == Status.PUBLISHED:
        return _("Goes offline on %(moment)s.") % {"moment": _moment(article.unpublish_at)}
    return ""


def _moment(moment: Any) -> str:
    return formats.date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")
