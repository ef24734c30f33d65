"""Who is visiting: which conversations are theirs, and what they may do with one they hold the address of.

Promise: a conversation is continued by whoever asked it (account or session) and by whoever has its unguessable
address, which only they were given; so nothing is lost when a session ends. A link to one answer gives no such right.

Refuses to decide what is shown of an answer: knowledge's gate does.
"""

import uuid

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language

from assistant.models import Channel, Conversation, Question, Ticket
from knowledge.models import Language

CONVERSATIONS_KEPT = 20  # in the session, to know one's own questions again


def is_own(request: HttpRequest, question: Question) -> bool:
    if request.user.is_authenticated and question.user_id == request.user.pk:
        return True
    return str(question.conversation.public_id) in request.session.get("conversations", [])


def may_continue(request: HttpRequest, question: Question) -> bool:
    """Whether forms and pages of this visitor may act on the question's conversation."""
    held = request.POST.get("conversation") or request.GET.get("conversation", "")
    return is_own(request, question) or held == str(question.conversation.public_id)


def question_named(request: HttpRequest, typed: str) -> Question | None:
    """The question that a form or an address names, if this visitor may continue it."""
    try:
        public_id = uuid.UUID(typed)
    except ValueError:
        return None
    question = Question.objects.select_related("conversation", "ticket").filter(public_id=public_id).first()
    return question if question is not None and may_continue(request, question) else None


def remember(request: HttpRequest, conversation: Conversation) -> None:
    public_id = str(conversation.public_id)
    known = [one for one in request.session.get("conversations", []) if one != public_id]
    request.session["conversations"] = [public_id, *known][:CONVERSATIONS_KEPT]


def address_of(request: HttpRequest, question: Question) -> str:
    """Where this visitor reads the question: in its conversation, or alone behind the link they were sent."""
    if may_continue(request, question):
        return reverse("conversation", kwargs={"public_id": question.conversation.public_id})
    return reverse("answer", kwargs={"public_id": question.public_id})


def known_contact(request: HttpRequest, question: Question | None = None) -> dict[str, str]:
    """What need not be asked for: of the account, or given before in this very conversation by its owner."""
    user = request.user
    if isinstance(user, User) and user.email:
        return {"contact_email": user.email, "contact_name": user.get_full_name()}
    if question is None or not is_own(request, question):
        return {}
    earlier = (
        Ticket.objects.filter(conversation_id=question.conversation_id)
        .exclude(contact_email="")
        .order_by("-pk")
        .first()
    )
    if earlier is None:
        return {}
    return {"contact_email": earlier.contact_email, "contact_name": earlier.contact_name}


def channel_of(request: HttpRequest) -> Channel:
    return Channel.WIDGET if getattr(request, "widget", None) is not None else Channel.PAGE


def interface_language() -> str:
    language = get_language()
    return language if language in Language.values else Language.ENGLISH
