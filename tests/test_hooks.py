"""Events of tickets reach those who want them: signed, at least once, and nobody inside our own network."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from assistant.desk import assign_ticket, solve_ticket
from assistant.desk.taking_back import take_back
from assistant.hooks import deliveries
from assistant.hooks.models import Event, WebhookDelivery, WebhookEndpoint
from assistant.hooks.signatures import BadSignature, key_of, new_secret, sign, verify
from assistant.hooks.targets import TargetRefused, target_of
from assistant.models import Ticket
from assistant.services import add_customer_message, add_staff_message, complete_ticket, open_ticket
from tests.hook_sink import HookSink

pytestmark = pytest.mark.django_db

ALL = [event.value for event in Event if event != Event.TEST]


@pytest.fixture
def sink(settings):
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]
    sink = HookSink()
    yield sink
    sink.stop()


@pytest.fixture
def endpoint(sink) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(name="CRM", url=sink.url, events=ALL)


def asked_for(email: str = "ada@example.org") -> Ticket:
    return open_ticket(subject="Invoice", detail="It is missing.", contact_email=email, language="en")


def events() -> list[str]:
    return list(WebhookDelivery.objects.order_by("pk").values_list("event", flat=True))


def time_passes() -> None:
    WebhookDelivery.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))


# --- what is an event -------------------------------------------------------------------------------------


def test_what_happens_to_a_ticket_is_owed_as_events(endpoint, staff):
    ticket = asked_for()
    assert events() == [Event.CREATED]
    assign_ticket(ticket=ticket, assignee=staff)
    add_staff_message(ticket=ticket, author=staff, body="Which one?")
    add_customer_message(ticket=ticket, body="The last one.")
    add_staff_message(ticket=ticket, author=staff, body="Between us.", is_internal=True)
    solve_ticket(ticket=ticket)
    assert events()[1:] == [
        Event.ASSIGNED,
        Event.STAFF_REPLIED,
        Event.STATUS_CHANGED,
        Event.CUSTOMER_REPLIED,
        Event.STATUS_CHANGED,
        Event.STATUS_CHANGED,
        Event.SOLVED,
    ]
    assert not any("Between us" in body for body in WebhookDelivery.objects.values_list("body", flat=True))


def test_a_ticket_without_contact_is_opened_when_the_contact_is_there(endpoint):
    ticket = Ticket.objects.create(subject="S", reason="low_confidence", language="en")
    assert events() == []
    complete_ticket(ticket=ticket, contact_email="ada@example.org")
    assert events() == [Event.CREATED]


def test_an_endpoint_gets_what_it_asked_for_and_no_secret_of_the_customer(endpoint):
    endpoint.events = [Event.SOLVED]
    endpoint.save()
    ticket = asked_for()
    solve_ticket(ticket=ticket)
    delivery = WebhookDelivery.objects.get()
    told = json.loads(delivery.body)
    assert (told["type"], told["data"]["ticket"]["status"]) == ("ticket.solved", "solved")
    assert told["data"]["ticket"]["contact"]["email"] == "ada@example.org"
    assert ticket.token not in delivery.body


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_no_event(endpoint):
    def fail() -> None:
        with transaction.atomic():
            asked_for()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert events() == []


def test_a_reply_that_is_taken_back_was_never_an_event(endpoint, sink, staff):
    ticket = asked_for()
    WebhookDelivery.objects.all().delete()
    message = add_staff_message(ticket=ticket, author=staff, body="Oops.", held_for=timedelta(seconds=10))
    deliveries.send_due()
    sent = [json.loads(one.body)["type"] for one in sink.received]
    assert Event.STAFF_REPLIED not in sent
    take_back(message=message, by=staff)
    time_passes()
    deliveries.send_due()
    assert not any(b"Oops." in one.body for one in sink.received)


# --- delivering -------------------------------------------------------------------------------------------


def test_a_delivery_is_signed_as_the_specification_says(endpoint, sink):
    asked_for()
    deliveries.send_due()
    got = sink.received[0]
    assert got.path == "/hook?a=1" and got.headers["content-type"] == "application/json"
    # By hand, as a receiver in another language would do it.
    key = base64.b64decode(endpoint.secret.removeprefix("whsec_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    delivery = WebhookDelivery.objects.get()
    assert delivery.delivered_at and delivery.status_code == 204 and delivery.duration_ms is not None


def test_failures_are_tried_again_under_the_same_id_then_given_up_until_somebody_asks(endpoint, sink):
    asked_for()
    sink.answer = (500, {})
    for _try in range(deliveries.MAX_ATTEMPTS):
        deliveries.send_due()
        time_passes()
    delivery = WebhookDelivery.objects.get()
    assert delivery.is_given_up and delivery.error == "HTTP 500"
    assert len(sink.received) == deliveries.MAX_ATTEMPTS
    sink.answer = (200, {})
    deliveries.send_again(delivery)
    deliveries.send_due()
    delivery.refresh_from_db()
    assert delivery.delivered_at is not None
    assert len({one.headers["webhook-id"] for one in sink.received}) == 1


def test_pauses_grow_and_a_receiver_may_ask_for_longer_ones(endpoint, sink):
    asked_for()
    sink.answer = (429, {"Retry-After": "900"})
    deliveries.send_due()
    delivery = WebhookDelivery.objects.get()
    assert delivery.due_at and delivery.due_at > timezone.now() + timedelta(seconds=850)
    deliveries.send_due()
    assert len(sink.received) == 1


def test_a_receiver_that_is_gone_switches_its_endpoint_off_and_what_it_is_owed_waits(endpoint, sink):
    asked_for()
    sink.answer = (410, {})
    deliveries.send_due()
    endpoint.refresh_from_db()
    assert not endpoint.is_active and endpoint.stopped_why
    asked_for("grace@example.org")
    time_passes()
    deliveries.send_due()
    assert len(sink.received) == 1
    WebhookEndpoint.objects.update(is_active=True)
    sink.answer = (200, {})
    deliveries.send_due()
    assert not WebhookDelivery.objects.filter(delivered_at=None).exists()


def test_a_redirect_is_not_followed(endpoint, sink):
    asked_for()
    sink.answer = (302, {"Location": sink.url})
    deliveries.send_due()
    assert len(sink.received) == 1 and WebhookDelivery.objects.get().error == "HTTP 302"


def test_a_receiver_that_is_not_there_concerns_nobody_else(endpoint, sink):
    WebhookEndpoint.objects.create(name="Away", url="http://127.0.0.1:9/", events=ALL)
    asked_for()
    deliveries.send_due()
    assert len(sink.received) == 1
    assert "Refused" in WebhookDelivery.objects.get(endpoint__name="Away").error


def test_after_a_rotation_both_secrets_sign_for_a_day(endpoint, sink):
    old = endpoint.secret
    new = deliveries.rotate_secret(endpoint)
    asked_for()
    deliveries.send_due()
    got = sink.received[0]
    for secret in (old, new):
        verify(
            [secret],
            message_id=got.headers["webhook-id"],
            timestamp=got.headers["webhook-timestamp"],
            signature=got.headers["webhook-signature"],
            body=got.body,
            now=time.time(),
        )
    WebhookEndpoint.objects.update(old_secret_until=timezone.now())
    endpoint.refresh_from_db()
    assert endpoint.secrets_in_force() == [new]


# --- signatures and targets -------------------------------------------------------------------------------


def test_signatures_hold_for_one_body_one_id_one_moment():
    secret = new_secret()
    right: dict[str, Any] = {"message_id": "msg_1", "timestamp": "1000", "body": b"{}", "now": 1100.0}
    right["signature"] = f"v1,AAAA v2,x {sign([secret], message_id='msg_1', timestamp=1000, body=b'{}')}"
    verify([new_secret(), secret], **right)
    for wrong in (
        {"body": b"{} "},
        {"message_id": "msg_2"},
        {"timestamp": "1001"},
        {"now": 1301.0},
        {"now": 699.0},
        {"signature": ""},
        {"timestamp": "x"},
    ):
        with pytest.raises(BadSignature):
            verify([secret], **right | wrong)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "plain words"])
def test_a_secret_has_to_be_one(secret):
    with pytest.raises(ValueError, match=r"base64|bytes"):
        key_of(secret)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.0.0.5/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://224.0.0.1/",
        "http://93.184.215.14/",
        "ftp://93.184.215.14/",
        "https://user@93.184.215.14/",
        "https://93.184.215.14:99999/",
        "https:///path",
    ],
)
def test_no_address_of_an_internal_network_is_a_target(url):
    with pytest.raises(TargetRefused):
        target_of(url)


def test_an_operator_may_allow_one(settings):
    settings.WEBHOOK_PRIVATE_HOSTS = ["localhost"]
    assert target_of("http://LOCALHOST:8080/a").port == 8080
    assert target_of("https://93.184.215.14/a?b=c").path == "/a?b=c"


# --- the admin --------------------------------------------------------------------------------------------


def test_the_admin_shows_a_secret_once_sends_a_test_and_a_failed_delivery_again(client, staff, sink):
    client.force_login(staff)
    add = reverse("admin:assistant_webhookendpoint_add")
    form = {"name": "CRM", "url": sink.url, "events": [Event.CREATED], "is_active": "on"}
    answer = client.post(add, form)
    endpoint = WebhookEndpoint.objects.get()
    page = reverse("admin:assistant_webhookendpoint_change", args=[endpoint.pk])
    assert answer.url == page
    assert endpoint.secret in client.get(page).content.decode()
    assert endpoint.secret not in client.get(page).content.decode()
    client.post(page, form | {"_test": "1"})
    deliveries.send_due()
    assert json.loads(sink.received[0].body)["type"] == "test"
    client.post(page, form | {"_rotate": "1"})
    rotated = WebhookEndpoint.objects.get().secret
    assert rotated != endpoint.secret and rotated in client.get(page).content.decode()
    delivery = WebhookDelivery.objects.get()
    assert (
        delivery.event_id
        in client.get(reverse("admin:assistant_webhookdelivery_change", args=[delivery.pk])).content.decode()
    )
    listed = reverse("admin:assistant_webhookdelivery_changelist")
    client.post(listed, {"action": "send_selected_again", "_selected_action": [delivery.pk]})
    deliveries.send_due()
    assert len(sink.received) == 2


def test_the_form_refuses_an_internal_address_and_says_what_would_allow_it(client, staff):
    client.force_login(staff)
    add = reverse("admin:assistant_webhookendpoint_add")
    page = client.post(add, {"name": "X", "url": "https://10.0.0.5/hook", "events": [Event.CREATED]})
    assert "WEBHOOK_PRIVATE_HOSTS=10.0.0.5" in page.content.decode()
    assert not WebhookEndpoint.objects.exists()
