"""Judging answers in the admin: a panel on the question's page, actions for many, and the questions worth a look.

What a judgement means is assistant.labels' business; here are the form, the words and the order of the queue.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import F, OrderBy, Q, QuerySet, Value
from django.db.models.functions import Mod
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from assistant.admin.story import Story
from assistant.labels import ABOUT_AN_ANSWER, judge, withdraw
from assistant.measured import Label, Verdict
from assistant.models import Question, QuestionStatus
from assistant.validation import InvalidInput
from knowledge.admin.display import badge
from knowledge.models import Article

PERMISSION = "assistant.add_label"
BY_LOT = (OrderBy(Mod(F("pk") * 7919, Value(10007))), "pk")
_SUGGESTED = 400  # titles offered while typing
_NAMED = 3  # candidates in an error
_TONES: dict[str, str] = {
    Verdict.RIGHT: "good",
    Verdict.INCOMPLETE: "notice",
    Verdict.WRONG: "bad",
    Verdict.ARTICLE: "bad",
    Verdict.NO_ARTICLE: "quiet",
}


@dataclass(frozen=True)
class JudgePanel:
    """What the page needs to judge one question."""

    question: Question
    label: Label | None
    tone: str  # of its badge
    named: Sequence[Article]  # by the label
    about_answer: Sequence[Verdict]  # empty where nothing was answered
    closest: Sequence[Article]  # that were considered, best first, the cited one left out
    suggested: Sequence[str]  # titles
    next_id: int | None  # of the queue


class JudgementFilter(admin.SimpleListFilter):
    title = gettext_lazy("judgement")
    parameter_name = "judgement"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("sample", _("To judge: a fair sample")),
            ("voted", _("To judge: customer not helped")),
            ("any", _("Judged")),
            ("not_right", _("Judged, not right")),
            ("with_article", _("Judged, article known")),
            *Verdict.choices,
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        match self.value():
            case "sample":
                return queue(queryset)
            case "voted":
                return queryset.filter(label=None, feedback__helpful=False)
            case "any":
                return queryset.exclude(label=None)
            case "not_right":
                return queryset.filter(pk__in=Label.objects.not_right().values("question"))
            case "with_article":
                return queryset.filter(pk__in=Label.objects.exclude(articles=None).values("question"))
            case value if value in Verdict.values:
                return queryset.filter(label__verdict=value)
        return None


class CategoryFilter(admin.SimpleListFilter):
    """Of the article that answers the question, as far as somebody has said which."""

    title = gettext_lazy("category of the right article")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        named = Label.articles.through.objects.exclude(article__category=None)
        names = named.order_by("article__category__name").values_list("article__category__name", flat=True)
        return [(name, name) for name in names.distinct() if name]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        if self.value() is None:
            return None
        labels = Label.objects.filter(articles__category__name=self.value())
        return queryset.filter(pk__in=labels.values("question"))


def queue(questions: QuerySet[Question]) -> QuerySet[Question]:
    """Unjudged questions in an order drawn by lot, the same each time: whoever works from its top judges a fair
    sample, which a promise about all questions needs. The interesting ones first would be none."""
    undecided = Q(status=QuestionStatus.RECEIVED)
    return questions.filter(label=None).exclude(undecided).order_by(*BY_LOT)


def panel_of(question: Question, story: Story, user: Any) -> JudgePanel | None:
    if not user.has_perm(PERMISSION) or question.status == QuestionStatus.RECEIVED:
        return None
    label = Label.objects.select_related("judged_by").filter(question=question).first()
    cited = {citation.article_id for citation in story.citations}
    considered = {
        passage.article_id: passage.article
        for passage in story.considered
        if passage.article is not None and passage.article_id not in cited
    }
    after = queue(Question.objects.exclude(pk=question.pk)).values_list("pk", flat=True).first()
    return JudgePanel(
        question=question,
        label=label,
        tone=_TONES[label.verdict] if label is not None else "",
        named=list(label.articles.defer("body")) if label is not None else (),
        about_answer=ABOUT_AN_ANSWER if question.status == QuestionStatus.ANSWERED else (),
        closest=list(considered.values())[:5],
        suggested=list(
            Article.objects.published()
            .filter(language=question.language)
            .order_by("title")
            .values_list("title", flat=True)[:_SUGGESTED]
        ),
        next_id=after,
    )


def judge_view(request: HttpRequest, question_id: int) -> HttpResponse:
    """One judgement, from the panel. What cannot be stored is said on the question's page."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    question = get_object_or_404(Question.objects.select_related("answer"), pk=question_id)
    back = reverse("admin:assistant_question_change", args=[question.pk])
    verdict = request.POST.get("verdict", "")
    if verdict == "withdraw":
        if withdraw(question=question):
            _log(request, [question], "judgement withdrawn")
        messages.success(request, _("The judgement was withdrawn."))
        return HttpResponseRedirect(back)
    try:
        articles = _articles_named(request, question)
        label = judge(question=question, verdict=verdict, by=request.user, articles=articles)
    except InvalidInput as error:
        messages.error(request, error.message)
        typed = request.POST.get("other", "").strip()
        kept = f"?{urlencode({'other': typed})}" if typed else ""
        return HttpResponseRedirect(f"{back}{kept}#hc-judge")
    _log(request, [question], f"judged: {label.verdict}")
    messages.success(request, _("Judged as “%(verdict)s”.") % {"verdict": label.get_verdict_display()})
    return HttpResponseRedirect(f"{back}#hc-judge")


def article_named(text: str, *, language: str) -> Article:
    """The article that staff mean by its number, address or title. Raises InvalidInput with what came close."""
    text = text.strip()
    slug = urlsplit(text).path.rstrip("/").rpartition("/")[2] if "/" in text else ""
    articles = Article.objects.defer("body").order_by("-status", "pk")
    number = text.split(" ")[0].removeprefix("#") if text.startswith("#") else text
    exact = articles.filter(
        Q(pk=int(number)) if number.isdecimal() and len(number) < 12 else Q(title__iexact=text)
    )
    if slug:
        exact = articles.filter(slug=slug)
    found = list(exact[:20]) or list(articles.filter(title__icontains=text)[:20])
    own = [article for article in found if article.language == language] or found
    if len(own) == 1:
        return own[0]
    if not own:
        raise InvalidInput(
            "articles", _("No article has the number, address or title “%(text)s”.") % {"text": text}
        )
    named = ", ".join(f"“{article.title}” (#{article.pk})" for article in own[:_NAMED])
    raise InvalidInput(
        "articles",
        _(
            "Several articles match “%(text)s”, for example %(named)s. Please enter the number of the one you mean."
        )
        % {"text": text, "named": named},
    )


class JudgeActions:
    """For the list of questions: one judgement for all that are selected."""

    def has_judge_permission(self, request: HttpRequest) -> bool:
        return not isinstance(request.user, AnonymousUser) and request.user.has_perm(PERMISSION)

    @admin.action(description=gettext_lazy("Judge as right"), permissions=["judge"])
    def judge_right(self, request: HttpRequest, queryset: QuerySet[Question]) -> None:
        _judge_all(request, queryset, Verdict.RIGHT)

    @admin.action(description=gettext_lazy("Judge as incomplete"), permissions=["judge"])
    def judge_incomplete(self, request: HttpRequest, queryset: QuerySet[Question]) -> None:
        _judge_all(request, queryset, Verdict.INCOMPLETE)

    @admin.action(description=gettext_lazy("Judge as wrong"), permissions=["judge"])
    def judge_wrong(self, request: HttpRequest, queryset: QuerySet[Question]) -> None:
        _judge_all(request, queryset, Verdict.WRONG)

    @admin.action(description=gettext_lazy("Judge: no article answers it"), permissions=["judge"])
    def judge_no_article(self, request: HttpRequest, queryset: QuerySet[Question]) -> None:
        _judge_all(request, queryset, Verdict.NO_ARTICLE)


def _judge_all(request: HttpRequest, questions: QuerySet[Question], verdict: Verdict) -> None:
    judged, refused = [], 0
    for question in questions.select_related("answer"):
        try:
            judge(question=question, verdict=verdict, by=request.user)
            judged.append(question)
        except InvalidInput:
            refused += 1
    done = len(judged)
    _log(request, judged, f"judged: {verdict}")
    messages.add_message(
        request,
        messages.SUCCESS if done else messages.INFO,
        ngettext("%(count)d question was judged.", "%(count)d questions were judged.", done)
        % {"count": done},
    )
    if refused:
        messages.warning(
            request,
            ngettext(
                "%(count)d question has no answer of which that could be said, and stays as it is.",
                "%(count)d questions have no answer of which that could be said, and stay as they are.",
                refused,
            )
            % {"count": refused},
        )


def _log(request: HttpRequest, questions: Sequence[Question], message: str) -> None:
    """A label keeps its last word only; the questions' history in the admin keeps all of them."""
    if questions:
        LogEntry.objects.log_actions(request.user.pk, questions, CHANGE, message)  # type: ignore[arg-type]


def _articles_named(request: HttpRequest, question: Question) -> list[Article]:
    chosen = [value for value in request.POST.getlist("articles") if value.isdecimal()]
    articles = list(Article.objects.filter(pk__in=chosen).defer("body"))
    typed = request.POST.get("other", "").strip()
    if typed:
        articles.append(article_named(typed, language=question.language))
    return articles


def label_badge(question: Question) -> SafeString:
    label = question.label
    return badge(label.get_verdict_display(), _TONES[label.verdict])
