"""What the e-mails about accounts say. When they leave is `assistant.outbox`'s business."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from assistant.addresses import of_the_site
from assistant.mailroom.addresses import mail_domain
from assistant.models import AccountMail, AccountMailKind
from knowledge import site


@of_the_site()
def compose(mail: AccountMail) -> EmailMessage:
    user = mail.recipient
    with translation.override(mail.language):
        values = {
            "user": user,
            "site_name": site.current().display_name,
            "happened_at": timezone.localtime(mail.created_at),
            "hours": settings.PASSWORD_RESET_TIMEOUT // 3600,
            "sign_in_url": settings.SITE_URL + reverse("admin:login"),
            "reset_url": settings.SITE_URL + reverse("account_reset_password"),
            "link": settings.SITE_URL + _link(mail) if mail.kind == AccountMailKind.PASSWORD_RESET else "",
        }
        subject = " ".join(render_to_string(f"mail/account_{mail.kind}_subject.txt", values).split())
        body = render_to_string(f"mail/account_{mail.kind}.txt", values)
    return EmailMessage(
        subject=subject,
        body=body,
        to=[user.email],
        headers={"Message-ID": f"<{mail.stable_id}@{mail_domain()}>", "Auto-Submitted": "auto-generated"},
    )


def _link(mail: AccountMail) -> str:
    """Good for PASSWORD_RESET_TIMEOUT from now, once, and not after the next sign-in."""
    user = mail.recipient
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
