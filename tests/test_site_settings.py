"""What an administrator sets for the site holds on the next page, in every process, and is refused when it is wrong."""

import io
import re
import subprocess
import sys
from datetime import date, datetime, time

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from assistant.mail import compose
from assistant.models import Conversation, Holiday, Mail, Question, Ticket
from helpcenter.outage import outage_response
from helpcenter.views import server_error
from knowledge import opening, site
from knowledge.colours import Scheme, contrast, problem_with, tones
from knowledge.site import _DAYS, SiteSettings
from tests.pages import text_of

FORM = "/admin/knowledge/sitesettings/"
FIELDS = {
    "name": "Havelrad",
    "greeting_de": "Moin! Was ist los?",
    "greeting_en": "Hi there!",
    "german_address": "formal",
    "accent_light": "",
    "accent_dark": "",
    "phone": "030 123 456",
    **dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "9-12, 13-17:30"),
    "saturday": "10–14",
    "sunday": "",
    "hours_note_de": "Nicht an Feiertagen.",
    "hours_note_en": "Not on public holidays.",
    "widget_hosts": "",
}


@pytest.fixture
def admin(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def save(admin: Client, **changed: object):
    stored = SiteSettings.objects.exists()
    return admin.post(f"{FORM}1/change/" if stored else f"{FORM}add/", FIELDS | changed)


def picture(kind: str = "PNG", size: tuple[int, int] = (320, 80)) -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", size, "#aa2233").save(file, kind)
    file.seek(0)
    file.name = f"logo.{kind.lower()}"
    return file


def test_name_greeting_and_hours_are_on_the_next_page(client, admin):
    assert "Havelrad" not in text_of(client.get("/de/").content)
    assert save(admin).status_code == 302
    german = text_of(client.get("/de/").content)
    for expected in ("Havelrad", "Moin! Was ist los?", "Mo–Fr 09:00–12:00, 13:00–17:30", "Sa 10:00–14:00"):
        assert expected in german
    assert "Nicht an Feiertagen." in german
    english = text_of(client.get("/en/").content)
    assert (
        "Hi there!" in english and "Mon–Fri 09:00–12:00" in english and "Not on public holidays." in english
    )
    assert 'href="tel:030123456"' in client.get("/en/").content.decode()


@pytest.mark.django_db
def test_there_is_one_telephone_number_the_sites_own_or_the_installations(client, settings):
    """Wherever it is shown: footer, form, refusals, and the pages that have to do without the database."""

    def shown_everywhere(dialled: str) -> bool:
        site._last_known = None
        pages = [
            client.get("/en/contact/").content
        ]  # reads the row; what fails after it goes by what it read
        for failed in (outage_response, server_error):
            pages.append(failed(RequestFactory().get("/en/")).content)
        return all(f'href="tel:{dialled}"' in page.decode() for page in pages)

    settings.CONTACT_PHONE = "+49 (0)30 / 55-66"
    assert shown_everywhere("+49305566")
    SiteSettings.objects.create(pk=1, phone="(030) 1234")
    assert shown_everywhere("0301234")


def test_there_is_one_row_and_the_list_leads_to_it(admin):
    assert admin.get(FORM)["Location"] == f"{FORM}add/"
    save(admin)
    assert admin.get(FORM)["Location"] == f"{FORM}1/change/"
    assert admin.get(f"{FORM}add/").status_code == 403
    assert admin.get(f"{FORM}1/delete/").status_code == 403
    assert SiteSettings.objects.count() == 1


def test_a_page_reads_the_settings_once_and_what_needs_none_reads_nothing(
    client, admin, django_assert_num_queries
):
    save(admin)
    with CaptureQueriesContext(connection) as asked:
        client.get("/en/contact/")
    assert sum("knowledge_sitesettings" in query["sql"] for query in asked) == 1
    with django_assert_num_queries(0):
        client.get("/livez")


@pytest.mark.django_db(transaction=True)
def test_another_process_serves_the_change_at_once(admin):
    """The other process has answered before the change, so whatever it could keep it has kept."""
    from django.conf import settings as django_settings

    code = (
        "import os, sys, django; django.setup(); from django.conf import settings;"
        "settings.DATABASES['default']['NAME'] = sys.argv[1];"
        "from django.db import connections; connections['default'].settings_dict['NAME'] = sys.argv[1];"
        "from django.test import Client; visitor = Client(headers={'host': 'localhost'});"
        "page = lambda: visitor.get('/de/').content.decode();"
        "print('Moin!' in page(), flush=True); sys.stdin.readline(); print('Moin!' in page(), flush=True)"
    )
    name = str(django_settings.DATABASES["default"]["NAME"])
    process = subprocess.Popen(
        [sys.executable, "-c", code, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **__import__("os").environ,
            "DJANGO_SETTINGS_MODULE": "helpcenter.settings",
            "STATIC_MANIFEST": "0",
        },
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        assert process.stdout.readline().strip() == "False"
        save(admin)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "True"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("accent_light", "#ffcc00", "too pale for text on light pages"),
        ("accent_dark", "#222222", "too dark for text on dark pages"),
        ("accent_light", "red", "is no colour"),
        ("accent_light", "#0b6157;}body{", "at most 7 characters"),
        ("monday", "nine to five", "is not understood"),
        ("monday", "17-9", "is not understood"),
        ("tuesday", "9-12, 11-13", "is not understood"),
        ("widget_hosts", "https://shop.example.org/path", "is not understood"),
        ("widget_hosts", "https://a.example.org; script-src *", "is not understood"),
        ("widget_hosts", "javascript:alert(1)", "is not understood"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_nothing_typed_is_lost(admin, field, value, said):
    response = save(admin, **{field: value})
    assert response.status_code == 200
    assert said in text_of(response.content)
    assert "Moin! Was ist los?" in response.content.decode()
    assert not SiteSettings.objects.exists()


def test_the_tone_that_is_suggested_is_accepted(client, admin):
    said = text_of(save(admin, accent_light="#ffcc00").content)
    suggestion = re.search(r"people can read is (#[0-9a-f]{6})", said)
    assert suggestion is not None
    assert save(admin, accent_light=suggestion[1], accent_dark="#8ecbff").status_code == 302
    html = client.get("/en/").content.decode()
    address = re.search(r'href="(/site/theme-[^"]+\.css)"', html)
    assert address is not None
    sheet = client.get(address[1])
    assert "immutable" in sheet["Cache-Control"]
    assert f"--accent:{suggestion[1]}" in sheet.content.decode()
    assert "--accent:#8ecbff" in sheet.content.decode()
    save(admin, accent_light="#7a1f5c")
    assert "no-store" in client.get(address[1])["Cache-Control"]


@pytest.mark.parametrize("accent", ["#0b6157", "#a5231c", "#1b62d6", "#000000", "#7a1f5c"])
def test_every_tone_of_a_light_scheme_can_be_read(accent):
    assert problem_with(accent, Scheme.LIGHT) is None
    made = tones(accent, Scheme.LIGHT)
    assert contrast(made["--on-accent"], made["--accent"]) >= 4.5
    assert contrast(made["--on-accent"], made["--accent-strong"]) >= 4.5 or accent == "#000000"
    assert contrast(made["--accent"], made["--accent-soft"]) >= 4.5
    assert contrast("#ffffff", made["--hero-glow"]) >= 4.5


@pytest.mark.parametrize("accent", ["#6fd3c2", "#ff9d94", "#8ab6ff", "#ffffff", "#f0c375"])
def test_every_tone_of_a_dark_scheme_can_be_read(accent):
    assert problem_with(accent, Scheme.DARK) is None
    made = tones(accent, Scheme.DARK)
    assert contrast(made["--on-accent"], made["--accent"]) >= 4.5
    assert contrast(made["--accent"], made["--accent-soft"]) >= 4.5
    assert contrast("#ffffff", made["--hero-glow"]) >= 4.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_logo_is_drawn_anew_and_shown_in_its_size(client, admin, kind):
    assert save(admin, new_logo=picture(kind)).status_code == 302
    html = client.get("/en/").content.decode()
    shown = re.search(
        r'<img class="brand-logo brand-logo-wide" src="([^"]+)" width="160" height="40" alt="">', html
    )
    assert shown is not None
    response = client.get(shown[1])
    assert response["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).size == (320, 80)
    save(admin, remove_logo="on")
    assert "brand-logo" not in client.get("/en/").content.decode()
    assert client.get(shown[1]).status_code == 404


def test_what_hides_behind_an_image_is_not_served(client, admin):
    file = picture()
    file.seek(0, io.SEEK_END)
    file.write(b"<script>alert(1)</script>")
    file.seek(0)
    save(admin, new_logo=file)
    stored = SiteSettings.objects.get()
    assert stored.logo is not None and b"<script>" not in bytes(stored.logo)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>',
            "SVG files can carry programs",
        ),
        (b"%PDF-1.7 nothing to see", "no image that we can read"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "no image that we can read"),
        (b"\0" * (1024 * 1024 + 1), "larger than 1024 KiB"),
        (picture(size=(5000, 20)).getvalue(), "5000 × 20 pixels"),
    ],
)
def test_a_file_that_is_no_logo_is_refused(admin, content, said):
    file = io.BytesIO(content)
    file.name = "logo.png"
    response = save(admin, new_logo=file)
    assert response.status_code == 200
    assert said in text_of(response.content)
    assert not SiteSettings.objects.exists()


def test_du_holds_for_pages_forms_and_mail_but_not_for_the_administration(client, admin, db):
    save(admin, german_address="informal")
    client.cookies.load({"django_language": "de"})
    page = text_of(client.get("/de/contact/").content)
    assert "Schreib" in text_of(client.get("/de/").content)
    assert not re.search(r"\b(Sie|Ihre?[nmr]?)\b", page), page
    refused = text_of(client.post("/de/ask/", {"text": ""}).content)
    assert "Bitte gib eine Frage ein" in refused
    # An address in the middle of a page switches languages and back; the manner has to survive it.
    assert "frag einfach" in text_of(client.get("/de/nothing/").content)
    conversation = Conversation.objects.create()
    ticket = Ticket.objects.create(
        conversation=conversation,
        subject="Kette",
        language="de",
        contact_email="a@example.org",
        reason="customer_request",
    )
    mail = compose(Mail(ticket=ticket))
    assert "deine Anfrage ist bei uns angekommen" in mail.body
    admin.cookies.load({"django_language": "de"})
    wrong = save(admin, german_address="informal", monday="immer")
    assert "Schreiben Sie die Zeiten so" in text_of(wrong.content)
    save(admin, german_address="formal")
    assert "Schreiben Sie unserem Team" in text_of(client.get("/de/").content)
    assert Question.objects.count() == 0


def test_the_page_of_an_outage_knows_the_site_without_asking(client, admin, rf, django_assert_num_queries):
    save(admin, german_address="informal")
    client.get("/de/")
    with django_assert_num_queries(0):
        page = text_of(outage_response(rf.get("/de/")).content)
    site.end()
    for expected in ("Havelrad", "030 123 456", "Mo–Fr", "nicht bei dir"):
        assert expected in page


def test_the_api_speaks_to_friends_as_well(client, admin):
    save(admin, german_address="informal")
    response = client.post(
        "/api/v1/questions/",
        {"question": ""},
        content_type="application/json",
        headers={"accept-language": "de"},
    )
    assert "Bitte gib eine Frage ein" in response.content.decode()


WEEK = [opening.read_day("9-12, 13–17:30")] * 5 + [opening.read_day("10 bis 14 Uhr"), ()]


@pytest.mark.parametrize(
    ("now", "is_open", "moment"),
    [
        (datetime(2026, 11, 23, 9, 0), True, datetime(2026, 11, 23, 12, 0)),
        (datetime(2026, 11, 23, 12, 0), False, datetime(2026, 11, 23, 13, 0)),
        (datetime(2026, 11, 27, 18, 0), False, datetime(2026, 11, 28, 10, 0)),
        (datetime(2026, 11, 28, 14, 0), False, datetime(2026, 11, 30, 9, 0)),
        (datetime(2026, 11, 23, 0, 0, 1), False, datetime(2026, 11, 23, 9, 0)),
    ],
)
def test_where_a_moment_stands_in_the_week(now, is_open, moment):
    found = opening.standing(WEEK, now)
    assert found.is_open is is_open
    assert (found.until if is_open else found.next_from) == moment


def test_on_a_holiday_nobody_is_there():
    """The days of the desk's rules hold for "open now" as well."""
    monday = datetime(2026, 11, 23, 10, 0)
    found = opening.standing(WEEK, monday, lambda day: day == date(2026, 11, 23))
    assert not found.is_open and found.next_from == datetime(2026, 11, 24, 9, 0)
    assert opening.standing(WEEK, monday, lambda day: True) == opening.Standing(is_open=False)


@pytest.mark.django_db
def test_the_public_pages_keep_the_desks_holidays(client):
    today = timezone.localdate()
    SiteSettings.objects.create(pk=1, **dict.fromkeys(_DAYS, "0-24"))
    assert "Open now" in client.get("/en/tickets/new/").content.decode()
    Holiday.objects.create(date=today.replace(year=2020), every_year=True)
    page = client.get("/en/tickets/new/").content.decode()
    assert "Open now" not in page and "Closed now, back tomorrow" in page


def test_a_week_without_hours_never_opens():
    assert opening.standing([()] * 7, datetime(2026, 11, 23, 9, 0)) == opening.Standing(is_open=False)


def test_days_with_the_same_hours_stand_together():
    assert [(first, last) for first, last, _spans in opening.grouped(WEEK)] == [(0, 4), (5, 5)]
    assert opening.read_day("0-24") == ((time(0), time(23, 59, 59)),)
    assert opening.written(opening.read_day("0-24")) == "00:00–24:00"
