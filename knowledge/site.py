"""What an administrator decides about the site as a whole: its name, looks, manner and hours. One row, live.

Promise: a change holds from the next request on in every process, because each request reads the row once, when it
first needs it, and keeps nothing for the next. A request that needs none (liveness, static files) reads nothing.
Where the database is away, the first to ask says so like any other query, so that a visitor waits for it once; the
page that tells him (`use_last_known`) goes on with what this process read last.

Refuses to decide: how many proxies stand in front, which hosts are served and everything else that an operator
sets in the environment.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import DatabaseError, connection, models
from django.db.models import Q
from django.urls import reverse
from django.utils import dates, timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from knowledge import opening
from knowledge.colours import MINIMUM_CONTRAST, Scheme, is_colour, problem_with, tones

LOGO_BOX: Final = (160, 40)  # CSS pixels at most, beside the name
_ONLY_ROW: Final = 1
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TRUNK_ZERO: Final = re.compile(r"\(\s*0\s*\)")
_ORIGIN: Final = re.compile(
    r"https?://(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?::\d{1,5})?",
    re.IGNORECASE,
)


class Address(models.TextChoices):
    FORMAL = "formal", _("Formal: Sie")
    INFORMAL = "informal", _("Informal: du")


@dataclass(frozen=True)
class OpeningLine:
    days: str  # as people write it: Mon–Fri
    hours: str  # 09:00–12:00, 13:00–17:00


def _hours_field(label: Any) -> Any:
    return models.CharField(label, max_length=80, blank=True)


class SiteSettings(models.Model):
    """Empty fields mean the default: what the environment or the shipped design says."""

    name = models.CharField(
        _("name of the site"),
        max_length=60,
        blank=True,
        help_text=_("Empty: the name from the installation."),
    )
    greeting_de = models.CharField(_("greeting (German)"), max_length=120, blank=True)
    greeting_en = models.CharField(_("greeting (English)"), max_length=120, blank=True)
    german_address = models.CharField(
        _("form of address in German"),
        max_length=8,
        choices=Address,
        default=Address.FORMAL,
        help_text=_("Holds for all pages and e-mails for customers. The administration stays formal."),
    )

    accent_light = models.CharField(
        _("accent colour, light pages"),
        max_length=7,
        blank=True,
        help_text=_("As #rrggbb. Empty: the shipped green."),
    )
    accent_dark = models.CharField(
        _("accent colour, dark pages"),
        max_length=7,
        blank=True,
        help_text=_("For visitors whose device is set to dark."),
    )
    logo = models.BinaryField(null=True, editable=False)  # PNG, as `knowledge.logo` stored it
    logo_digest = models.CharField(max_length=16, blank=True, editable=False)
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)  # pixels
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)

    phone = models.CharField(_("telephone number"), max_length=40, blank=True)
    monday = _hours_field(dates.WEEKDAYS[0])
    tuesday = _hours_field(dates.WEEKDAYS[1])
    wednesday = _hours_field(dates.WEEKDAYS[2])
    thursday = _hours_field(dates.WEEKDAYS[3])
    friday = _hours_field(dates.WEEKDAYS[4])
    saturday = _hours_field(dates.WEEKDAYS[5])
    sunday = _hours_field(dates.WEEKDAYS[6])
    hours_note_de = models.CharField(_("note on the hours (German)"), max_length=200, blank=True)
    hours_note_en = models.CharField(_("note on the hours (English)"), max_length=200, blank=True)

    widget_hosts = models.TextField(
        _("sites that may embed the help center"),
        blank=True,
        help_text=_("One a line, such as https://shop.example.org or https://*.example.org. Empty: none."),
    )
    review_months = models.PositiveSmallIntegerField(
        _("check articles every … months"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
        help_text=_(
            "When an article is published or checked, the next check is planned. Empty: only by hand."
        ),
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("site settings")
        verbose_name_plural = _("site settings")
        constraints = [models.CheckConstraint(condition=Q(pk=_ONLY_ROW), name="site_settings_is_one_row")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        if self.name:
            return self.name
        return gettext("Help center") if settings.SITE_NAME == "Help center" else str(settings.SITE_NAME)

    @property
    def greeting(self) -> str:
        """In the reader's language; empty where none was set."""
        return str(getattr(self, f"greeting_{get_language()}", ""))

    @property
    def hours_note(self) -> str:
        return str(getattr(self, f"hours_note_{get_language()}", ""))

    @property
    def telephone(self) -> str:
        """The number that is shown: this row's, else the installation's; empty where neither has one."""
        return self.phone or str(settings.CONTACT_PHONE)

    @property
    def dialled(self) -> str:
        """The same for `tel:` links (RFC 3966): digits and a leading +, without the “(0)” of written numbers."""
        number = _TRUNK_ZERO.sub("", self.telephone) if self.telephone.startswith("+") else self.telephone
        return ("+" if number.startswith("+") else "") + re.sub(r"\D", "", number)

    @cached_property
    def week(self) -> opening.Week:
        return [opening.read_day(getattr(self, day)) for day in _DAYS]

    @property
    def opening_lines(self) -> list[OpeningLine]:
        """Days with the same hours in one line; empty where no hours were set."""
        return [
            OpeningLine(_days_between(first, last), opening.written(spans))
            for first, last, spans in opening.grouped(self.week)
        ]

    @property
    def standing(self) -> opening.Standing | None:
        """Whether somebody is there now; None where no hours were set."""
        if not any(self.week):
            return None
        return opening.standing(self.week, timezone.localtime(), _is_holiday())

    @property
    def standing_in_words(self) -> str:
        """“Open now, until 17:30”, or when somebody is there again; empty where no hours were set."""
        standing = self.standing
        if standing is None or (standing.until is None and standing.next_from is None):
            return ""
        if standing.until is not None:
            return gettext("Open now, until %(time)s") % {"time": date_format(standing.until, "TIME_FORMAT")}
        assert standing.next_from is not None
        ahead = (standing.next_from.date() - timezone.localdate()).days
        values = {
            "time": date_format(standing.next_from, "TIME_FORMAT"),
            "day": date_format(standing.next_from, "l"),
        }
        if ahead == 0:
            return gettext("Closed now, back today at %(time)s") % values
        if ahead == 1:
            return gettext("Closed now, back tomorrow at %(time)s") % values
        if ahead > 6:  # the name of a day would be taken for the one of this week
            values["day"] = date_format(standing.next_from, "DATE_FORMAT")
        return gettext("Closed now, back on %(day)s at %(time)s") % values

    @property
    def logo_url(self) -> str:
        return reverse("site_logo", kwargs={"digest": self.logo_digest}) if self.logo_digest else ""

    @property
    def logo_size(self) -> tuple[int, int]:
        """Width and height to show it in, in CSS pixels; never larger than it is."""
        scale = min(1.0, LOGO_BOX[0] / (self.logo_width or 1), LOGO_BOX[1] / (self.logo_height or 1))
        return max(1, round(self.logo_width * scale)), max(1, round(self.logo_height * scale))

    @property
    def theme_url(self) -> str:
        """Of the stylesheet with this site's colours; empty where the shipped ones hold."""
        version = f"{self.accent_light}{self.accent_dark}".replace("#", "").lower()
        return reverse("site_theme", kwargs={"version": version}) if version else ""

    @property
    def stylesheet(self) -> str:
        parts = []
        if self.accent_light:
            parts.append(f":root{{{_declarations(self.accent_light, Scheme.LIGHT)}}}")
        if self.accent_dark:
            dark = f":root{{{_declarations(self.accent_dark, Scheme.DARK)}}}"
            parts.append(f"@media screen and (prefers-color-scheme: dark){{{dark}}}")
        return "\n".join(parts)

    @property
    def frame_ancestors(self) -> tuple[str, ...]:
        """What the Content-Security-Policy of an embeddable page allows; never empty."""
        return tuple(self.widget_hosts.split()) or ("'none'",)

    def clean(self) -> None:
        wrong: dict[str, str] = {}
        for name, scheme in (("accent_light", Scheme.LIGHT), ("accent_dark", Scheme.DARK)):
            said = _colour_trouble(getattr(self, name), scheme)
            if said:
                wrong[name] = said
        for day in _DAYS:
            try:
                setattr(self, day, opening.written(opening.read_day(getattr(self, day))))
            except opening.BadHours as error:
                wrong[day] = gettext(
                    "“%(found)s” is not understood. Write the hours as 9–12, 13–17:30; leave the field empty on days "
                    "when nobody is there."
                ) % {"found": error.found}
        hosts = list(dict.fromkeys(self.widget_hosts.lower().split()))
        bad = [host for host in hosts if not _ORIGIN.fullmatch(host)]
        if bad:
            wrong["widget_hosts"] = gettext(
                "“%(found)s” is not understood. Write one address a line, with http:// or https:// and without a path."
            ) % {"found": bad[0]}
        self.widget_hosts = "\n".join(hosts)
        if wrong:
            raise ValidationError(wrong)


def _colour_trouble(colour: str, scheme: Scheme) -> str:
    if not colour:
        return ""
    if not is_colour(colour):
        return gettext("“%(colour)s” is no colour. Write it as #rrggbb, such as #0b6157.") % {
            "colour": colour
        }
    problem = problem_with(colour, scheme)
    if problem is None:
        return ""
    values = {
        "colour": colour,
        "contrast": f"{problem.contrast:.1f}",
        "minimum": f"{MINIMUM_CONTRAST:.1f}",
        "suggestion": problem.suggestion,
    }
    if scheme is Scheme.LIGHT:
        return (
            gettext(
                "%(colour)s is too pale for text on light pages: its contrast is %(contrast)s:1, at least "
                "%(minimum)s:1 is needed. The nearest tone that people can read is %(suggestion)s."
            )
            % values
        )
    return (
        gettext(
            "%(colour)s is too dark for text on dark pages: its contrast is %(contrast)s:1, at least %(minimum)s:1 is "
            "needed. The nearest tone that people can read is %(suggestion)s."
        )
        % values
    )


def _declarations(accent: str, scheme: Scheme) -> str:
    return ";".join(f"{name}:{value}" for name, value in tones(accent, scheme).items())


def _days_between(first: int, last: int) -> str:
    names = [str(dates.WEEKDAYS_ABBR[day]) for day in (first, last)]
    return names[0] if first == last else "–".join(names)


_holidays: Callable[[], Callable[[date], bool]] | None = None


def holidays_from(known: Callable[[], Callable[[date], bool]]) -> None:
    """Who knows on which days nobody is there: called where hours are shown, for a test of days."""
    global _holidays
    _holidays = known


def _is_holiday() -> Callable[[date], bool] | None:
    """None where it cannot be told: the pages of an outage show the week's hours."""
    if _holidays is None or connection.needs_rollback:
        return None
    try:
        return _holidays()
    except DatabaseError:
        return None


class _Held:
    """What one request knows of the site: nothing, until it asks."""

    def __init__(self, *, is_for_customers: bool) -> None:
        self.is_for_customers = is_for_customers
        self.known: SiteSettings | None = None


_held: ContextVar[_Held | None] = ContextVar("site_settings", default=None)
_last_known: SiteSettings | None = None


def begin(*, is_for_customers: bool) -> None:
    """A request begins; nothing is read yet."""
    _held.set(_Held(is_for_customers=is_for_customers))


def end(**_signal: Any) -> None:
    _held.set(None)


def current() -> SiteSettings:
    """The site's settings, without the bytes of the logo: one query for each request that asks."""
    held = _held.get()
    if held is not None and held.known is not None:
        return held.known
    found = _read()
    if held is not None:
        held.known = found
    return found


def is_informal() -> bool:
    """Whether the reader is addressed as a friend in German. Asked by every German string."""
    held = _held.get()
    if held is None or not held.is_for_customers:
        return False
    if held.known is None and connection.needs_rollback:
        # The words of an error, inside the transaction that it broke: no query is possible there.
        return _last_known is not None and _last_known.german_address == Address.INFORMAL
    return current().german_address == Address.INFORMAL


def use_last_known() -> None:
    """For the rest of this request no query: the database is known to be away."""
    held = _Held(is_for_customers=True)
    held.known = _last_known or SiteSettings(pk=_ONLY_ROW)
    _held.set(held)


@contextmanager
def as_customers_read() -> Iterator[SiteSettings]:
    """For text that is written outside a customer's request, such as mail."""
    token = _held.set(_Held(is_for_customers=True))
    try:
        yield current()
    finally:
        _held.reset(token)


def _read() -> SiteSettings:
    global _last_known
    stored = SiteSettings.objects.defer("logo").filter(pk=_ONLY_ROW).first()
    _last_known = stored or SiteSettings(pk=_ONLY_ROW)
    return _last_known
