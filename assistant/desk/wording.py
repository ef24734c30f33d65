"""The rules in words, as an administrator would tell them to a new colleague."""

from decimal import Decimal

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assistant.models import Assignment, DeskRules, Holiday, Priority, RotaMember
from knowledge import site


def in_words(rules: DeskRules) -> list[str]:
    """One sentence a rule, in the reader's language. Reads holidays and agents: two queries."""
    return [
        _when_people_are_there(),
        *(_target(rules, priority) for priority in reversed(Priority)),
        _("While a ticket waits for its customer, the time until its solution stands still."),
        _missed(rules),
        _assignment(rules),
        _routing(rules),
        _silence(rules),
        _closing(rules),
        _("Customers are asked by e-mail whether they were content, once for each solved ticket.")
        if rules.surveys
        else _("Customers are asked on their ticket's page whether they were content, and not by e-mail."),
    ]


def hours_in_words(hours: Decimal) -> str:
    shown = formats.number_format(f"{hours:f}".rstrip("0").rstrip(".") if hours % 1 else int(hours))
    return ngettext("%(hours)s hour", "%(hours)s hours", 1 if hours == 1 else 2) % {"hours": shown}


def _when_people_are_there() -> str:
    lines = site.current().opening_lines
    holidays = Holiday.objects.count()
    except_on = (
        ngettext(", except on %(count)d holiday", ", except on %(count)d holidays", holidays)
        % {"count": holidays}
        if holidays
        else ""
    )
    if not lines:
        return _("Every hour of every day counts%(except_on)s: no opening hours are set.") % {
            "except_on": except_on
        }
    times = "; ".join(f"{line.days} {line.hours}" for line in lines)
    return _("Only opening hours count: %(times)s%(except_on)s.") % {"times": times, "except_on": except_on}


def _target(rules: DeskRules, priority: Priority) -> str:
    reply, solve = rules.hours(priority)
    values = {
        "priority": priority.label,
        "reply": hours_in_words(reply) if reply is not None else "",
        "solve": hours_in_words(solve) if solve is not None else "",
    }
    if reply is not None and solve is not None:
        return _("%(priority)s: a first reply within %(reply)s, a solution within %(solve)s.") % values
    if reply is not None:
        return _("%(priority)s: a first reply within %(reply)s.") % values
    if solve is not None:
        return _("%(priority)s: a solution within %(solve)s.") % values
    return _("%(priority)s: no target.") % values


def _missed(rules: DeskRules) -> str:
    if not rules.escalates:
        return _("A missed target is shown in the queue and in the ticket's history; nobody gets an e-mail.")
    if rules.escalation_addresses:
        return _("When a target is missed, the assignee and %(addresses)s get an e-mail, once.") % {
            "addresses": ", ".join(rules.escalation_addresses)
        }
    return _("When a target is missed, the assignee gets an e-mail, once; without an assignee nobody does.")


def _assignment(rules: DeskRules) -> str:
    if rules.assignment == Assignment.OFF:
        return _("New tickets belong to nobody until an agent takes them.")
    here = [str(one) for one in RotaMember.objects.filter(is_here=True).select_related("user")]
    if not here:
        return _("New tickets should be given out, but no agent takes any: they belong to nobody.")
    if rules.assignment == Assignment.ROUND_ROBIN:
        return _("New tickets go in turn to %(agents)s.") % {"agents": ", ".join(here)}
    return _("A new ticket goes to whoever of %(agents)s has the fewest that wait for us.") % {
        "agents": ", ".join(here)
    }


def _routing(rules: DeskRules) -> str:
    if rules.routes_from is None:
        return _("A suggested category or priority is shown on the ticket; only an agent accepts it.")
    return _(
        "A suggested category or priority of which %(percent)d of 100 past ones were right, or more, is applied by "
        "itself to tickets that nobody of staff has changed."
    ) % {"percent": rules.routes_from}


def _silence(rules: DeskRules) -> str:
    if rules.silence_days is None:
        return _("A ticket that waits for its customer waits as long as it takes.")
    return _(
        "When a customer has not answered us for %(silence)s, a notice is sent; after another %(grace)s without a word "
        "the ticket counts as solved."
    ) % {"silence": _days(rules.silence_days), "grace": _days(rules.grace_days)}


def _closing(rules: DeskRules) -> str:
    if rules.close_days is None:
        return _("A solved ticket can be taken up again at any time.")
    return _("A solved ticket can be taken up again for %(days)s; then it is closed for good.") % {
        "days": _days(rules.close_days)
    }


def _days(days: int) -> str:
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
