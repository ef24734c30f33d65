"""How often the suggested category and priority would have been right on the desk's own past tickets."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assistant.desk.routing.history import MOST_TICKETS, past_of_the_desk
from assistant.desk.routing.voting import Trial, record_of, walk_forward
from assistant.models import RoutedField
from knowledge.embeddings import EmbedderUnavailable

_CLARITIES = ("less than half agree", "half and more", "three quarters and more", "all agree")

_HELP = f"""\
Goes through the latest {MOST_TICKETS} solved tickets in the order in which they arrived. For each it asks what the most
similar ones that were settled by then had, and compares that, the rules' value and the most frequent value until then
with the value that the ticket ended with. Tickets whose value was applied by itself and left at that do not count.
Changes nothing but vectors of questions, which it keeps.
"""


class Command(BaseCommand):
    help = _HELP

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            past = past_of_the_desk()
        except EmbedderUnavailable as error:
            raise CommandError(str(error)) from error
        for field in RoutedField:
            self._say(field, walk_forward(past[field]))

    def _say(self, field: RoutedField, trials: Sequence[Trial]) -> None:
        voted = [one for one in trials if one.vote is not None]
        self.stdout.write(
            f"{field.value}: {len(trials)} solved tickets, {len(voted)} with enough similar ones"
        )
        if not voted:
            return
        count = len(voted)
        right = {
            "suggested": sum(one.vote is not None and one.vote.value == one.value for one in voted),
            "rules": sum(one.by_rule == one.value for one in voted),
            "most frequent": sum(one.by_majority == one.value for one in voted),
        }
        for name, number in right.items():
            self.stdout.write(f"  {name:14} right {number:5} of {count} ({number / count:.3f})")
        for clarity, name in enumerate(_CLARITIES):
            record = record_of(trials, clarity)
            if record.tried:
                self.stdout.write(
                    f"  {name:24} {record.tried:5}: right {record.right / record.tried:.3f}, "
                    f"rules {record.rule_right / record.tried:.3f}"
                )
