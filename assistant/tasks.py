"""Wake-ups by the clock: they find what no ring was heard for. Safe to repeat, and to run side by side."""

import logging

from celery import shared_task
from django.db import InterfaceError, OperationalError

from assistant import outbox
from assistant.abuse.budgets import forget_full_budgets
from assistant.desk.sweep import keep_the_rules
from assistant.interrupted import settle_interrupted
from assistant.writers.spending import forget_old_replies
from knowledge.turns import Turn, our_turn

log = logging.getLogger(__name__)


@shared_task(name="assistant.send_due_mail", soft_time_limit=150, time_limit=180)  # type: ignore[untyped-decorator]
def send_due_mail_task() -> None:
    try:
        outbox.send_due()
    except (OperationalError, InterfaceError) as error:
        log.warning("Mails are left to the next sweep: %s", error)


@shared_task(name="assistant.settle_interrupted", soft_time_limit=270, time_limit=300)  # type: ignore[untyped-decorator]
def settle_interrupted_task() -> None:
    try:
        # Two would be harmless, the first to store an outcome wins; but every question would be decided twice.
        with our_turn(Turn.SETTLE) as is_ours:
            if is_ours:
                settle_interrupted()
    except (OperationalError, InterfaceError) as error:
        log.warning("Interrupted questions are left to the next sweep: %s", error)


@shared_task(name="assistant.keep_desk_rules", soft_time_limit=150, time_limit=180)  # type: ignore[untyped-decorator]
def keep_desk_rules_task() -> None:
    try:
        keep_the_rules()
    except (OperationalError, InterfaceError) as error:
        log.warning("The desk's rules are left to the next sweep: %s", error)


@shared_task(name="assistant.forget_full_budgets", soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def forget_full_budgets_task() -> None:
    try:
        forget_full_budgets()
        forget_old_replies()
    except (OperationalError, InterfaceError) as error:
        log.warning("Full budgets are left to the next sweep: %s", error)


@shared_task(name="assistant.calibrate", soft_time_limit=1140, time_limit=1200)  # type: ignore[untyped-decorator]
def calibrate_task(calibration_id: int) -> None:
    """Somebody waits for it in the admin. Safe to repeat: one that has ended is left alone."""
    from assistant.calibration.running import run

    run(calibration_id)
