"""One row of everything that a route can be about, for tests that ask every route."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from assistant.attachments import Upload, attach
from assistant.hooks.models import Event, HandOff, WebhookDelivery, WebhookEndpoint
from assistant.mailroom.models import InboundMail, InboundMailContent, Mailbox
from assistant.measured import Calibration, EvaluatedQuestion, EvaluationRun
from assistant.models import (
    Answer,
    CannedReply,
    Conversation,
    DeskRules,
    EscalationPhrase,
    Feedback,
    Holiday,
    KnownProblem,
    Lesson,
    ModelUsage,
    Question,
    Rating,
    RotaMember,
    RoutingSuggestion,
    StaffText,
    Ticket,
    TicketMessage,
)
from assistant.replays import Replay
from assistant.wanted import Gap
from knowledge.models import (
    Article,
    ArticleTemplate,
    Category,
    ImportChange,
    ImportRun,
    SynonymGroup,
)
from knowledge.saved_views import SavedView
from knowledge.site import SiteSettings
from tests.role_matrix import EMBEDDING_SITE, Route

_PICTURE = f"{'a' * 40}.png"


@dataclass(frozen=True)
class Samples:
    by_route: Mapping[str, Mapping[str, object]]  # what the arguments of a route are, by its name
    by_model: Mapping[str, object]  # primary keys, by `app_model`
    common: Mapping[str, object]  # arguments that mean the same everywhere

    def values_for(self, route: Route) -> Mapping[str, object]:
        own = self.by_route.get(route.name, {})
        model = next(
            (
                pk
                for name, pk in self.by_model.items()
                if f"/{name.replace('_', '/', 1)}/" in f"/{route.pattern}"
            ),
            None,
        )
        of_model = {"object_id": model, "id": model, "pk": model, "question_id": model, "mail_id": model}
        return {**self.common, **(of_model if model is not None else {}), **own}


def make_samples(owner: User | None) -> Samples:
    """`owner` has what belongs to one account alone, such as a saved view."""
    person = User.objects.create_user("sample", "sample@example.org", "a good passphrase", is_staff=True)
    rows: list[Any] = [
        person,
        Group.objects.create(name="Sample"),
        ArticleTemplate.objects.create(name="Sample", language="en", body="# How"),
        category := Category.objects.create(name="Billing", slug="billing", language="en"),
        article := Article.objects.create(
            title="Pause",
            slug="pause",
            body="For a month.",
            language="en",
            status="published",
            category=category,
        ),
        run := ImportRun.objects.create(source="sample", state="done"),
        SynonymGroup.objects.create(words="bike\nbicycle"),
        SiteSettings.objects.update_or_create(
            pk=1, defaults={"widget_hosts": EMBEDDING_SITE, "logo": b"PNG", "logo_digest": "1"}
        )[0],
        DeskRules.objects.update_or_create(pk=1)[0],
        Holiday.objects.create(date=timezone.localdate()),
        RotaMember.objects.create(user=person),
        KnownProblem.objects.create(title="Sample"),
        ModelUsage.objects.create(day=timezone.localdate()),
        StaffText.objects.create(kind="summary"),
        question := Question.objects.create(
            conversation=(conversation := Conversation.objects.create()),
            text="What does a pause cost?",
            language="en",
            channel="page",
            status="answered",
            user=User.objects.create_user("kim@example.org", "kim@example.org", "a good passphrase"),
        ),
        Feedback.objects.create(question=question, helpful=False),
        EvaluatedQuestion.objects.create(
            run=EvaluationRun.objects.create(name="sample", articles="own", threshold=0.5),
            key="sample",
            text="What does it cost?",
            language="en",
            score=0.5,
            is_answerable=True,
            is_answered=True,
            is_right=True,
            elapsed_ms=1.0,
        ),
        endpoint := WebhookEndpoint.objects.create(name="Sample", url="https://example.org/hook"),
        WebhookDelivery.objects.create(endpoint=endpoint, event=Event.TEST, event_id="msg_1", body="{}"),
        ticket := Ticket.objects.create(
            subject="Invoice",
            reason="customer_request",
            language="en",
            contact_email="ada@example.org",
            question=question,
            status="open",
        ),
        HandOff.objects.create(ticket=ticket),
        mail := InboundMail.objects.create(
            digest="0" * 64,
            source="imap",
            size=1,
            attachments=[{"name": "a.txt", "kind": "text/plain", "size": 2, "refused": ""}],
        ),
        Mailbox.objects.create(address="help@example.org"),
        CannedReply.objects.create(title="Sample", language="en", body="Hello."),
        Lesson.objects.create(ticket=ticket, kind="missing"),
        Rating.objects.create(ticket=ticket, is_content=True),
        EscalationPhrase.objects.create(matter="person", language="en", text="sample of a phrase"),
    ]
    ImportChange.objects.create(run=run, article_id=article.pk, title="Pause", is_new=True, after=1)
    Answer.objects.create(question=question, text="Nine euros.", writer="extractive", language="en")
    InboundMailContent.objects.create(mail=mail, raw=_MAIL)
    message = TicketMessage.objects.create(ticket=ticket, author_kind="staff", author=person, body="Hello.")
    attach([Upload("a.txt", "application/octet-stream", b"hi")], ticket=ticket, message=message)
    file = ticket.files.get()
    routed = RoutingSuggestion.objects.create(ticket=ticket, field="priority", looked_at=timezone.now())
    second = Article.objects.create(title="Pausing", slug="pausing", body="A month.", language="en")
    gap = Gap.objects.create(language="en", title="Sample", size=1, recent=1, before=0)
    calibration = Calibration.objects.create(
        source="sample", writer="extractive", model="m", max_risk=0.1, confidence=0.9
    )
    replay = Replay.objects.create(kind="archive")
    if not default_storage.exists(f"articles/{_PICTURE}"):
        default_storage.save(f"articles/{_PICTURE}", ContentFile(b"\x89PNG\r\n\x1a\n"))
    in_history = {
        f"admin:{row._meta.app_label}_{row._meta.model_name}_simple_history": {
            "object_id": row.pk,
            "version_id": row.history.first().pk,
        }
        for row in rows
        if hasattr(row, "history") and row.history.exists()
    }
    views = {
        f"admin:{name}_delete_view": {
            "pk": SavedView.objects.create(list=name.replace("_", "."), name=name, owner=owner or person).pk
        }
        for name in ("knowledge_article", "assistant_question", "assistant_ticket")
    }
    of_a_ticket = {"token": ticket.token}
    of_a_question = {"public_id": question.public_id}
    by_route: dict[str, Mapping[str, object]] = {
        **in_history,
        **views,
        "admin:quality_calibration": {"pk": calibration.pk},
        "admin:quality_decide": {"pk": calibration.pk},
        "admin:whatif_publish": {"pk": article.pk},
        "admin:whatif_merge": {"kept": article.pk, "other": second.pk},
        "admin:whatif_replay": {"pk": replay.pk},
        "admin:whatif_stop": {"pk": replay.pk},
        **{f"admin:{name}": {"pk": gap.pk} for name in ("gap", "gap_draft", "gap_set_aside", "gap_reopen")},
        "admin:knowledge_article_step": {"pk": article.pk, "step": "publish"},
        "admin:knowledge_article_restore": {"pk": article.pk, "key": f"a{article.history.first().pk}"},
        "admin:knowledge_article_translate": {"pk": article.pk, "code": "de"},
        "admin:knowledge_importrun_confirm": {"pk": run.pk},
        "admin:knowledge_importrun_undo": {"pk": run.pk},
        "admin:view_on_site": {
            "content_type_id": ContentType.objects.get_for_model(Article).pk,
            "object_id": article.pk,
        },
        "admin:assistant_ticket_file": {"pk": ticket.pk, "file_id": file.pk},
        "ticket_file": {"token": ticket.token, "pk": file.pk},
        "admin:assistant_ticket_take_back": {"pk": ticket.pk, "message_id": message.pk},
        "admin:assistant_ticket_routing": {"pk": ticket.pk, "suggestion_id": routed.pk, "answer": "accept"},
        "admin:assistant_inboundmail_attachment": {"mail_id": mail.pk, "number": 0},
        "admin:app_list": {"app_label": "assistant"},
        "account_reset_password_from_key": {"uidb36": user_pk_to_url_str(person), "key": "set-password"},
        "picture": {"name": _PICTURE},
        "site_theme": {"version": "0"},
        "site_logo": {"digest": "1"},
        "widget_look": {"accent": "0b6e4f"},
        "api-article": {"article_id": article.pk},
        "conversation": {"public_id": conversation.public_id},
        "api-conversation": {"public_id": conversation.public_id},
        "category": {"slug": category.slug},
        "category_feed": {"slug": category.slug},
    }
    return Samples(
        by_route,
        {f"{row._meta.app_label}_{row._meta.model_name}": row.pk for row in rows},
        {**of_a_ticket, **of_a_question, "slug": article.slug, "url": "nothing/"},
    )


_MAIL = (
    b"From: ada@example.org\r\nSubject: Invoice\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nHello.\r\n"
    b'--b\r\nContent-Type: text/plain; name="a.txt"\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\nhi\r\n'
    b"--b--\r\n"
)
