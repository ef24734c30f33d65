"""E-mails that are owed to the owners of accounts, about signing in (`assistant.outbox`)."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models import Language


class AccountMailKind(models.TextChoices):
    PASSWORD_RESET = "password_reset", _("Link to a new password")
    PASSWORD_CHANGED = "password_changed", _("Password changed")
    FACTOR_ADDED = "factor_added", _("Second factor set up")
    FACTOR_REMOVED = "factor_removed", _("Second factor removed")
    CODE_USED = "code_used", _("Recovery code used")


class AccountMail(models.Model):
    """Written by the transaction that causes it. Holds no link and no code: those are made when it leaves."""

    kind = models.CharField(max_length=20, choices=AccountMailKind)
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    language = models.CharField(max_length=2, choices=Language)  # of the page that caused it
    due_at = models.DateTimeField(null=True, blank=True, default=timezone.now)  # as `Mail.due_at`
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)  # of the last try
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("e-mail about an account")
        verbose_name_plural = _("e-mails about accounts")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=AccountMailKind.values), name="account_mail_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(due_at__isnull=True),
                name="account_mail_sent_is_not_due",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="account_mail_due")
        ]

    def __str__(self) -> str:
        return self.stable_id

    @property
    def stable_id(self) -> str:
        """The same at every delivery, so that mail programs know a second one for what it is."""
        return f"account-mail-{self.pk}"
