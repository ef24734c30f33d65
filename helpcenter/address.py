"""Sie or du: German in the form of address that the site has chosen, for every string of every page and mail.

Works below gettext, so that no template and no view has to know about it: the catalogue `informal.po` holds the
strings that read differently among friends, and stands in front of the German one while a customer of such a site
is spoken to. Strings that it lacks, and the administration, stay as they are.

A language of its own ("de-du") would have been the documented way, but then addresses, `lang` attributes and every
comparison with "de" would have to be told that it is German (docs/decisions/0015).
"""

import gettext
from typing import Final

from django.conf import settings
from django.utils.translation import trans_real

from knowledge import site

GERMAN: Final = "de"
DOMAIN: Final = "informal"


class AddressedGerman(trans_real.DjangoTranslation):
    def __init__(self) -> None:
        super().__init__(GERMAN)
        self._among_friends = gettext.translation(DOMAIN, settings.LOCALE_PATHS[0], [GERMAN])
        self._among_friends.add_fallback(trans_real.DjangoTranslation(GERMAN))

    def gettext(self, message: str) -> str:
        if site.is_informal():
            return self._among_friends.gettext(message)
        return super().gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        if site.is_informal():
            return self._among_friends.ngettext(msgid1, msgid2, n)
        return super().ngettext(msgid1, msgid2, n)


def install() -> None:
    """Puts it in the place where Django looks for German."""
    trans_real._translations[GERMAN] = AddressedGerman()  # type: ignore[attr-defined]  # not in the stubs
