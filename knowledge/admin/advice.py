"""What the checks of an article found, in words. The page loads the model; the note after saving does not."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from knowledge.advice import Advice, Finding, Kind, advise, check_wording
from knowledge.embeddings import EmbedderUnavailable
from knowledge.entailment import Heard
from knowledge.models import Article

_TITLES: Final[dict[Kind, Promise]] = {
    Kind.DUPLICATE: gettext_lazy("Another article says the same"),
    Kind.NUMBERS: gettext_lazy("Another article gives other figures"),
    Kind.NEGATION: gettext_lazy("Another article says the opposite"),
    Kind.VIEW: gettext_lazy("Another article judges this differently"),
    Kind.CONTRADICTION: gettext_lazy("Another article seems to contradict this"),
    Kind.LINK: gettext_lazy("A link leads nowhere"),
    Kind.ANCHOR: gettext_lazy("A link leads to a heading that is not there"),
    Kind.OVERLAP: gettext_lazy("Another article says nearly the same"),
    Kind.BOILERPLATE: gettext_lazy("This does not belong to the text"),
    Kind.REPEATED: gettext_lazy("This stands here twice"),
    Kind.LONG_PARAGRAPH: gettext_lazy("A paragraph is too long to be found as a whole"),
    Kind.LONG_SENTENCES: gettext_lazy("A sentence is long"),
    Kind.HARD_TO_READ: gettext_lazy("The text is hard to read"),
    Kind.TRANSLATION: gettext_lazy("There is no translation"),
}
_WHY: Final[dict[Kind, Promise]] = {
    Kind.DUPLICATE: gettext_lazy("Customers get one or the other. Keep one of them, and link to it."),
    Kind.NUMBERS: gettext_lazy("If both speak of the same thing, one of them misleads customers."),
    Kind.NEGATION: gettext_lazy("If both speak of the same thing, one of them misleads customers."),
    Kind.VIEW: gettext_lazy("Both may be right. Somebody who reads both should not have to wonder."),
    Kind.CONTRADICTION: gettext_lazy(
        "So says the cross-encoder, which reads the two sentences together. It can err: read them yourself."
    ),
    Kind.LINK: gettext_lazy("Readers see the words without the link, or a page that does not exist."),
    Kind.ANCHOR: gettext_lazy("Readers stay at the top of the page."),
    Kind.OVERLAP: gettext_lazy("Two places to change when something changes."),
    Kind.BOILERPLATE: gettext_lazy("It is found and quoted like everything else. Take it out."),
    Kind.REPEATED: gettext_lazy("One of the two can go."),
    Kind.LONG_PARAGRAPH: gettext_lazy("It is cut in two for the search. Cut it where it makes sense."),
    Kind.LONG_SENTENCES: gettext_lazy("Answers quote whole sentences; short ones are better answers."),
    Kind.HARD_TO_READ: gettext_lazy("Shorter sentences and plainer words help most."),
    Kind.TRANSLATION: gettext_lazy(
        "Customers who ask in the other language are answered in this one, or not at all."
    ),
}

_HEARD: Final[dict[Heard, Promise]] = {
    Heard.ALL: gettext_lazy("Rules and a cross-encoder looked for contradictions."),
    Heard.SOME: gettext_lazy(
        "Rules looked for contradictions; the cross-encoder had time for some of the sentences only."
    ),
    Heard.NONE: gettext_lazy(
        "Rules alone looked for contradictions: the cross-encoder was not heard. It is still being loaded, does not "
        "read this language, or cannot be loaded."
    ),
}


@dataclass(frozen=True)
class Group:
    title: str
    why: str
    tone: str
    findings: list[Finding]


def check_page(request: HttpRequest, article: Article, context: dict[str, Any]) -> HttpResponse:
    problem = ""
    try:
        advice = advise(article)
    except EmbedderUnavailable as error:
        problem, advice = str(error), Advice(check_wording(article))
    return TemplateResponse(
        request,
        "admin/knowledge/article/check.html",
        {
            **context,
            "title": _("Advice on “%(title)s”") % {"title": article.title},
            "article": article,
            "groups": _grouped(advice.findings),
            "problem": problem,
            "count": len(advice.findings),
            "model": advice.model,
            "model_said": _HEARD.get(advice.heard, ""),
        },
    )


def tell_advice(request: HttpRequest, article: Article) -> None:
    """After saving: that there is something to see, and where."""
    count = len(
        [one for one in check_wording(article, looks_elsewhere=False) if one.kind is not Kind.TRANSLATION]
    )
    address = reverse("admin:knowledge_article_check", args=[article.pk])
    if count:
        text = ngettext("%(count)d thing could be better.", "%(count)d things could be better.", count)
        messages.info(
            request,
            format_html('{} <a href="{}">{}</a>', text % {"count": count}, address, _("Show me")),
        )


def title_of(kind: Kind) -> str:
    """In words, what was found."""
    return str(_TITLES[kind])


def _grouped(findings: list[Finding]) -> list[Group]:
    groups = []
    for kind, title in _TITLES.items():
        found = [finding for finding in findings if finding.kind is kind]
        if found:
            tone = "bad" if found[0].is_serious else "notice"
            groups.append(Group(str(title), str(_WHY[kind]), tone, found))
    return groups
