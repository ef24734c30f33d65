"""Signing in as staff: the second factor, the ways back without it, and what is refused until it was shown."""

import re
import time
from typing import Any

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import translation

from assistant.models import AccountMail, AccountMailKind, SpentBudget
from assistant.outbox import send_due
from helpcenter.accounts import middleware
from helpcenter.accounts.adapters import SecondFactorAdapter
from tests.desk import as_, member
from tests.role_matrix import routes

PASSWORD = "a good passphrase"
SIGN_IN, CODE, APP = (
    "/admin/login/",
    "/admin/account/second-factor/sign-in/",
    "/admin/account/second-factor/app/",
)
CODES = "/admin/account/second-factor/codes/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return member("Support", "anna")


def code_of(secret: str, *, shift: int = 0) -> str:
    """What an authenticator app shows now (RFC 6238), or `shift` half minutes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + shift)))


def sign_in(client: Client, name: str = "anna", **values: str) -> Any:
    return client.post(SIGN_IN, {"username": name, "password": PASSWORD} | values)


def set_up(client: Client) -> tuple[str, list[str]]:
    """The app's secret and the recovery codes. The client has signed in a moment ago."""
    page = client.get(APP).content.decode()
    [secret] = re.findall(r'hc-account-secret">(\w+)<', page)
    done = client.post(APP, {"code": code_of(secret)})
    assert done.headers["Location"] == CODES
    return secret, re.findall(r"<code>(\d+)</code>", client.get(CODES).content.decode())


@pytest.fixture
def enrolled(anna) -> tuple[User, str, list[str]]:
    client = Client()
    sign_in(client)
    return anna, *set_up(client)


def reaches_the_admin(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_without_a_second_factor_a_password_signs_in_and_is_reminded(client, anna):
    assert sign_in(client, next="/admin/assistant/ticket/").headers["Location"] == "/admin/assistant/ticket/"
    assert "Set up a second factor" in client.get("/admin/").content.decode()
    assert sign_in(Client()).headers["Location"] == "/admin/"


def test_setting_it_up_is_told_and_asks_for_it_from_then_on(client, enrolled):
    anna, secret, codes = enrolled
    assert len(codes) == 10
    assert secret not in str(Authenticator.objects.values_list("data", flat=True))
    first = sign_in(client, next="/admin/assistant/ticket/")
    assert first.headers["Location"] == CODE
    assert not reaches_the_admin(client)
    done = client.post(CODE, {"code": code_of(secret)})
    assert done.headers["Location"] == "/admin/assistant/ticket/"
    assert reaches_the_admin(client)
    assert "Set up a second factor" not in client.get("/admin/").content.decode()
    send_due()
    assert [(one.to, one.subject) for one in mail.outbox] == [
        ([anna.email], "A second factor was set up for Help center")
    ]


def test_the_customers_page_asks_staff_as_much(client, enrolled):
    answer = client.post("/en/login/", {"username": "anna", "password": PASSWORD})
    assert answer.headers["Location"] == CODE
    assert client.get("/en/").wsgi_request.user.is_anonymous


def test_a_wrong_code_signs_nobody_in(client, enrolled):
    sign_in(client)
    answer = client.post(CODE, {"code": "000000"})
    assert "This code is not right" in answer.content.decode()
    assert not reaches_the_admin(client)


def test_a_code_works_once_in_all_processes(client, enrolled):
    from django.core.cache import cache

    _anna, secret, _codes = enrolled
    code = code_of(secret)
    sign_in(client)
    client.post(CODE, {"code": f"{code[:3]} {code[3:]}"})  # as apps show it
    assert reaches_the_admin(client)
    cache.clear()  # what another process does not know
    other = Client()
    sign_in(other)
    other.post(CODE, {"code": code})
    assert not reaches_the_admin(other)


def test_a_clock_may_be_half_a_minute_wrong_and_no_more(enrolled):
    _anna, secret, _codes = enrolled
    for shift, works in ((3, False), (1, True)):
        client = Client()
        sign_in(client)
        client.post(CODE, {"code": code_of(secret, shift=shift)})
        assert reaches_the_admin(client) is works


def test_a_recovery_code_works_once_and_its_use_is_told(client, enrolled):
    anna, _secret, codes = enrolled
    sign_in(client)
    client.post(CODE, {"code": codes[3]})
    assert reaches_the_admin(client)
    assert len(re.findall(r"<code>\d+</code>", client.get(CODES).content.decode())) == 9
    other = Client()
    sign_in(other)
    other.post(CODE, {"code": codes[3]})
    assert not reaches_the_admin(other)
    assert AccountMail.objects.filter(recipient=anna, kind=AccountMailKind.CODE_USED).count() == 1


def test_guessing_codes_ends_soon_wherever_the_guesses_come_from(settings, enrolled):
    from django.core.cache import cache

    _anna, secret, _codes = enrolled
    SpentBudget.objects.all().delete()
    for number in range(12):
        client = Client(REMOTE_ADDR=f"192.0.2.{number + 1}")
        sign_in(client)
        answer = client.post(CODE, {"code": f"{number:06}"})
        cache.clear()  # a process for each
    assert "too many attempts" in answer.content.decode()
    last = Client()
    sign_in(last)
    last.post(CODE, {"code": code_of(secret)})
    assert not reaches_the_admin(last)


def test_guessing_a_password_ends_soon(client, anna):
    said = [
        client.post(SIGN_IN, {"username": "anna", "password": f"guess {n}"}).content.decode()
        for n in range(6)
    ]
    assert "is not right" in said[4]
    assert "too many attempts" in said[5]
    assert sign_in(client).status_code == 200  # not even with the right one, for a while


def test_clients_behind_a_proxy_are_told_apart(settings, anna, customer):
    settings.NUM_PROXIES = 1
    for number in range(12):
        Client(headers={"x-forwarded-for": "192.0.2.7"}).post(
            SIGN_IN, {"username": f"nobody{number}", "password": "guess"}
        )
    busy = Client(headers={"x-forwarded-for": "10.9.9.9, 192.0.2.7"})
    assert "too many attempts" in sign_in(busy).content.decode()
    assert sign_in(Client(headers={"x-forwarded-for": "192.0.2.8"})).status_code == 302


def test_signing_out_ends_it(client, enrolled):
    _anna, secret, _codes = enrolled
    sign_in(client)
    client.post(CODE, {"code": code_of(secret)})
    client.post("/admin/logout/")
    assert not reaches_the_admin(client)
    assert sign_in(client).headers["Location"] == CODE


def test_whoever_is_asked_for_a_code_can_turn_back(client, enrolled):
    sign_in(client)
    assert client.post("/admin/account/logout/", {"next": SIGN_IN}).headers["Location"] == SIGN_IN
    assert client.get(CODE).headers["Location"] == SIGN_IN


def test_a_session_from_before_has_to_show_the_factor(client, enrolled):
    anna, secret, _codes = enrolled
    client.force_login(anna)  # as one that was open elsewhere when the app was set up
    asked = client.get("/admin/assistant/ticket/")
    assert asked.headers["Location"].startswith(
        "/admin/account/second-factor/confirm/?next=%2Fadmin%2Fassistant"
    )
    assert client.get("/en/").status_code == 302
    done = client.post(
        asked.headers["Location"], {"code": code_of(secret), "next": "/admin/assistant/ticket/"}
    )
    assert done.headers["Location"] == "/admin/assistant/ticket/"
    assert reaches_the_admin(client)


# --- STAFF_MFA=required --------------------------------------------------------------------------------


@pytest.fixture
def required(settings):
    settings.STAFF_MFA = "required"


def test_required_nothing_opens_before_it_is_set_up(client, anna, required):
    sign_in(client)
    for page in (
        "/admin/",
        "/admin/assistant/ticket/",
        "/en/",
        "/en/search/?q=pause",
        "/admin/password_change/",
    ):
        assert client.get(page).headers["Location"].startswith(APP), page
    refused = client.get("/api/v1/articles/")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "second_factor_required"
    assert client.post("/admin/assistant/ticket/", {"action": "solve"}).headers["Location"] == APP
    set_up(client)
    assert reaches_the_admin(client)
    assert client.get("/api/v1/articles/").status_code == 200


def test_required_whoever_moves_to_another_phone_sets_it_up_there_first(client, enrolled, required):
    _anna, secret, _codes = enrolled
    sign_in(client)
    client.post(CODE, {"code": code_of(secret)})
    client.post("/admin/account/second-factor/app/remove/")
    assert not Authenticator.objects.exists()  # the recovery codes are gone as well
    assert client.get("/admin/").headers["Location"].startswith(APP)
    set_up(client)
    assert reaches_the_admin(client)


def test_required_customers_are_not_concerned(client, customer, required):
    client.post("/en/login/", {"username": "customer", "password": PASSWORD})
    assert client.get("/en/").status_code == 200
    assert client.get(APP).status_code == 403


def test_off_nobody_is_asked(client, enrolled, settings):
    settings.STAFF_MFA = "off"
    assert sign_in(client).headers["Location"] == "/admin/"
    page = client.get("/admin/").content.decode()
    assert "econd factor" not in page
    assert client.get(APP).status_code == 404


def test_what_stays_open_without_it_are_routes_of_today():
    names = {route.name for route in routes()}
    assert names >= middleware._OPEN | middleware._OPEN_TO_ENROL


# --- the ways back -------------------------------------------------------------------------------------


def test_an_administrator_resets_it_and_both_histories_say_so(enrolled):
    anna, _secret, _codes = enrolled
    boss = member("Administrators", "boss")
    client = as_(boss)
    page = reverse("admin:auth_user_reset_second_factor", args=[anna.pk])
    assert page in client.get(f"/admin/auth/user/{anna.pk}/change/").content.decode()
    assert "anna" in client.get(page).content.decode()
    assert client.post(page).status_code == 302
    assert not Authenticator.objects.filter(user=anna).exists()
    assert sign_in(Client()).headers["Location"] == "/admin/"
    entry = LogEntry.objects.filter(object_id=str(anna.pk)).latest("action_time")
    assert entry.user == boss
    assert "authenticator app removed" in entry.get_change_message()
    assert "authenticator app removed" in client.get(f"/admin/auth/user/{anna.pk}/history/").content.decode()
    assert AccountMail.objects.filter(recipient=anna, kind=AccountMailKind.FACTOR_REMOVED).exists()


def test_nobody_else_resets_it(enrolled):
    anna, _secret, _codes = enrolled
    page = reverse("admin:auth_user_reset_second_factor", args=[anna.pk])
    for role in ("Leads", "Editors"):
        assert as_(member(role)).post(page).status_code == 403
    assert Authenticator.objects.filter(user=anna).exists()


def test_administrators_leave_superusers_alone_and_do_not_become_any(staff):
    boss = member("Administrators", "boss")
    client = as_(boss)
    Authenticator.objects.create(user=staff, type="totp", data={})
    address = f"/admin/auth/user/{staff.pk}"
    assert client.post(f"{address}/reset-second-factor/").status_code == 403
    assert client.post(f"{address}/change/", {"username": "mine"}).status_code == 403
    assert client.post(f"{address}/password/", {"password1": "x"}).status_code == 403
    assert client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    client.post(
        "/admin/auth/user/", {"action": "delete_selected", "_selected_action": staff.pk, "post": "yes"}
    )
    own = f"/admin/auth/user/{boss.pk}/change/"
    assert "user_permissions" not in client.get(own).content.decode()
    values = {"username": "boss", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    dates = {
        "last_login_0": "",
        "last_login_1": "",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    assert client.post(own, values | dates).status_code == 302
    boss.refresh_from_db()
    assert not boss.is_superuser
    assert User.objects.filter(pk=staff.pk, is_superuser=True).exists()


def test_the_command_lets_the_last_administrator_in_again(client, enrolled, capsys):
    call_command("reset_second_factor", "anna")
    assert "removed" in capsys.readouterr().out
    assert sign_in(client).headers["Location"] == "/admin/"
    call_command("reset_second_factor", "anna")
    assert "nothing was changed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="'nobody'"):
        call_command("reset_second_factor", "nobody")


def test_whoever_loses_the_secret_key_is_let_in_by_no_code(client, enrolled, settings):
    _anna, secret, codes = enrolled
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert SecondFactorAdapter().decrypt(Authenticator.objects.get(type="totp").data["secret"]) == secret
    settings.SECRET_KEY_FALLBACKS = []
    sign_in(client)
    for code in (code_of(secret), codes[0]):
        assert client.post(CODE, {"code": code}).status_code == 200


def test_deleting_an_account_takes_its_factor_along(enrolled):
    anna, _secret, _codes = enrolled
    anna.delete()
    assert not Authenticator.objects.exists()


# --- a forgotten password ------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "subject"), [("en", "A new password"), ("de", "Ein neues Passwort")])
def test_a_password_is_reset_by_mail_in_the_language_of_the_page(client, enrolled, language, subject):
    anna, _secret, _codes = enrolled
    client.cookies["django_language"] = language
    assert client.post("/admin/account/password/", {"email": "ANNA@example.org"}).status_code == 302
    send_due()
    letter = next(one for one in mail.outbox if one.subject.startswith(subject))
    assert letter.to == [anna.email]
    assert letter.extra_headers["Auto-Submitted"] == "auto-generated"
    [link] = re.findall(r"http://localhost:8000(/admin/account/password/\S+)", str(letter.body))
    form = client.get(link).headers["Location"]
    assert "set-password" in form
    client.post(form, {"password1": "another good one", "password2": "another good one"})
    assert Client().get(link).status_code == 200  # and says that it is used up
    other = Client()
    answer = other.post(SIGN_IN, {"username": "anna", "password": "another good one"})
    assert answer.headers["Location"] == CODE  # the second factor is asked for all the same
    assert AccountMail.objects.filter(recipient=anna, kind=AccountMailKind.PASSWORD_CHANGED).exists()


def test_nobody_learns_who_has_an_account_and_customers_get_no_such_mail(client, anna, customer):
    answers = [
        client.post("/admin/account/password/", {"email": address}).headers["Location"]
        for address in ("anna@example.org", "customer@example.org", "nobody@example.org")
    ]
    assert len(set(answers)) == 1
    assert [one.recipient for one in AccountMail.objects.all()] == [anna]


def test_a_weak_password_is_refused_at_its_field(client, anna):
    from django.contrib.auth.tokens import default_token_generator

    link = reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(anna), "key": default_token_generator.make_token(anna)},
    )
    form = client.get(link).headers["Location"]
    page = client.post(form, {"password1": "12345678", "password2": "12345678"}).content.decode()
    assert "errorlist" in page
    assert User.objects.get(pk=anna.pk).check_password(PASSWORD)


# --- who it is for -------------------------------------------------------------------------------------


def test_customers_at_the_admins_door_are_told_so(client, customer):
    client.force_login(customer)
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "customer" in answer.content.decode()


def test_nobody_signs_up(client):
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    assert not {"account_signup", "account_email"} & names
    assert client.get("/admin/account/signup/").status_code in (302, 404)


def test_an_account_that_is_not_active_is_told_so_after_its_password(client, anna):
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert sign_in(client).headers["Location"] == "/admin/account/inactive/"
    wrong = client.post(SIGN_IN, {"username": "anna", "password": "guess"})
    assert wrong.status_code == 200


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_of_it_renders_and_asks_nobody_else(language, client, enrolled):
    _anna, secret, _codes = enrolled
    client.cookies["django_language"] = language
    pages = [
        SIGN_IN,
        "/admin/account/password/",
        "/admin/account/password/sent/",
        "/admin/account/password/done/",
    ]
    pages += ["/admin/account/password/1-used/", "/admin/account/inactive/"]
    shown = [client.get(page) for page in pages]
    sign_in(client)
    shown.append(client.get(CODE))
    client.post(CODE, {"code": code_of(secret)})
    own = "/admin/account/second-factor/"
    shown += [client.get(own + page) for page in ("", "app/remove/", "codes/", "codes/new/", "confirm/")]
    client.post(f"{own}app/remove/")
    shown += [client.get(own), client.get(APP), client.get("/admin/account/confirm/")]
    for response in shown:
        assert response.status_code == 200, response.wsgi_request.path
        page = response.content.decode()
        assert f'lang="{language}"' in page
        addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page)
        assert all(one.startswith(("/", "#", "data:image/svg+xml")) for one in addresses), addresses
        assert " style=" not in page and not re.search(r" on\w+=", page)
    assert "data:" in shown[-2].headers["Content-Security-Policy"]
    with translation.override(language):
        assert secret not in shown[-2].content.decode()
