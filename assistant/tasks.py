"""Wake-ups by the clock: they find what no ring was heard for. Safe to repeat, and to run side by side."""

import logging

from celery import shared_task
from django.db import InterfaceError, OperationalError

from assistant import outbox
from assistant.abuse.budgets import forget_full_budgets
from assistant.desk.sweep import keep_the_rules
from assistant.hooks import deliveries
from assistant.hooks.handing_over import hand_over_due
from assistant.interrupted import settle_interrupted
from assistant.mailroom import inbox
from assistant.mailroom.visiting import visit_quietly
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


@shared_task(name="assistant.process_due_mail", soft_time_limit=210, time_limit=240)  # type: ignore[untyped-decorator]
def process_due_mail_task() -> None:
    try:
        inbox.process_due()
    except (OperationalError, InterfaceError) as error:
        log.warning("Mails that came in are left to the next sweep: %s", error)


@shared_task(name="assistant.deliver_due_webhooks", soft_time_limit=150, time_limit=180)  # type: ignore[untyped-decorator]
def deliver_due_webhooks_task() -> None:
    try:
        deliveries.send_due()
    except (OperationalError, InterfaceError) as error:
        log.warning("Webhooks are left to the next sweep: %s", error)


@shared_task(name="assistant.hand_over_due", soft_time_limit=150, time_limit=180)  # type: ignore[untyped-decorator]
def hand_over_due_task() -> None:
    try:
        hand_over_due()
    except (OperationalError, InterfaceError) as error:
        log.warning("Hand-offs are left to the next sweep: %s", error)


@shared_task(name="assistant.fetch_mail", soft_time_limit=210, time_limit=240)  # type: ignore[untyped-decorator]
def fetch_mail_task() -> None:
    try:
        visit_quietly()
    except (OperationalError, InterfaceError) as error:
        log.warning("The mailbox is left to the next visit: %s", error)


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


@shared_task(name="assistant.replay", soft_time_limit=1140, time_limit=1200)  # type: ignore[untyped-decorator]
def replay_task(replay_id: int) -> None:
    """An editor waits for it in the admin. Safe to repeat: one that has ended, or is in hand, is left alone."""
    from assistant.whatif.running import run

    run(replay_id)


@shared_task(name="assistant.resume_replays", soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def resume_replays_task() -> None:
    from assistant.whatif.running import resume_lost

    try:
        resume_lost()
    except (OperationalError, InterfaceError) as error:
        log.warning("Lost replays are left to the next sweep: %s", error)


@shared_task(name="assistant.refresh_gaps", soft_time_limit=570, time_limit=600)  # type: ignore[untyped-decorator]
def refresh_gaps_task(refresh_id: int) -> None:
    """Safe to repeat: a run that has ended is left alone."""
    from assistant.gaps.refreshing import run

    run(refresh_id)


@shared_task(name="assistant.look_for_gaps", soft_time_limit=60, time_limit=90)  # type: ignore[untyped-decorator]
def look_for_gaps_task() -> None:
    from assistant.gaps.refreshing import start_if_due

    try:
        start_if_due()
    except (OperationalError, InterfaceError) as error:
        log.warning("Gaps are left to the next sweep: %s", error)
