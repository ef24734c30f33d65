"""The page "How our AI works". What it states is gathered in `assistant.our_ai`."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from assistant.our_ai import ENOUGH_QUESTIONS, our_ai
from assistant.queue_figures import reply_time
from assistant.views import alternates, private
from assistant.writers.chat import PASSAGES_SHOWN
from assistant.writers.spending import KEPT_FOR
from knowledge import structured


@private
@require_safe
def how_our_ai_works(request: HttpRequest) -> HttpResponse:
    here = reverse("our_ai")
    context = {
        "ai": our_ai(),
        "reply_time": reply_time(),
        "kept_days": KEPT_FOR.days,
        "passages_shown": PASSAGES_SHOWN,
        "least_questions": ENOUGH_QUESTIONS,
        "contact_email": settings.CONTACT_EMAIL,
        "alternates": alternates("our_ai", {}),
        "structured": [
            structured.breadcrumb_node((_("Help center"), reverse("home")), [], (_("How our AI works"), here))
        ],
    }
    return render(request, "assistant/our_ai.html", context)
