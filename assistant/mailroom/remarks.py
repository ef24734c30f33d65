"""What is said about how a mail was read."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Remark(models.TextChoices):
    """What staff should know about how a mail came to read as it does."""

    HTML_ONLY = "html_only", _("It had no plain text; this is the text of its HTML.")
    WINMAIL = (
        "winmail",
        _(
            "Outlook packed parts of it into winmail.dat, which is attached. Open it with Outlook, or ask for plain "
            "text."
        ),
    )
    ENCRYPTED = "encrypted", _("It is encrypted. What it says stands only in the attachment.")
    CHARSET = "charset", _("It named a wrong character set; odd characters may be left.")
    DAMAGED = "damaged", _("It is damaged; a part of it may be missing.")
    NO_SENDER = "no_sender", _("It names no sender.")
    EMPTY = "empty", _("It has no text.")
    TOO_LARGE = (
        "too_large",
        _("It is larger than allowed and was left in the mailbox; only its header is here."),
    )
    TOO_MANY_PARTS = "too_many_parts", _("It has too many parts; only the first ones were read.")
    SHORTENED = (
        "shortened",
        _("Its text is longer than a message may be; all of it is in the original e-mail."),
    )
