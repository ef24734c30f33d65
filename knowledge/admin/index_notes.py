"""What the list of articles says of the index as a whole. Loads no model."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import generations


def index_notes() -> list[str]:
    """Sentences for editors; mostly none."""
    notes = []
    live, following = generations.live(), generations.building()
    if live is not None and generations.trouble_of(live):
        notes.append(
            _(
                "The embedding model that the index was made with cannot be loaded any more. Questions are answered "
                "by their words alone, and edited articles wait for the new index."
            )
        )
    if following is not None:
        known = generations.progress_of(following)
        notes.append(
            _(
                "A new index is being built: %(done)d of %(total)d articles. Until then the present one answers."
            )
            % {"done": known.done, "total": known.total}
        )
        if known.given_up:
            notes.append(
                ngettext(
                    "%(count)d article cannot be taken into the new index; edit it or withdraw it.",
                    "%(count)d articles cannot be taken into the new index; edit them or withdraw them.",
                    known.given_up,
                )
                % {"count": known.given_up}
            )
        if following.problem:
            notes.append(_("The new index does not get on: %(problem)s") % {"problem": following.problem})
    return notes
