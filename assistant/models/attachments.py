"""Files that came with a message, or with the opening of a ticket (`assistant.attachments` checks them)."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assistant.models.tickets import Ticket, TicketMessage


class TicketFileQuerySet(models.QuerySet["TicketFile"]):
    def for_customer(self, now: datetime) -> Self:
        """Of what its customer may read: nothing of notes, and nothing that was or can still be taken back."""
        return self.filter(Q(message=None) | Q(message__in=TicketMessage.objects.for_customer(now)))


class TicketFile(models.Model):
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="files")
    # None: it came with the opening.
    message = models.ForeignKey(
        TicketMessage, null=True, blank=True, on_delete=models.CASCADE, related_name="files"
    )
    name = models.CharField(_("file"), max_length=150)
    content_type = models.CharField(max_length=100)  # what it goes out as
    size = models.PositiveIntegerField()  # bytes
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TicketFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class TicketFileContent(models.Model):
    """A row of its own, so that no list of files ever reads one."""

    file = models.OneToOneField(
        TicketFile, primary_key=True, on_delete=models.CASCADE, related_name="content"
    )
    content = models.BinaryField()

    class Meta:
        verbose_name = _("content of an attachment")
        verbose_name_plural = _("contents of attachments")

    def __str__(self) -> str:
        return f"{self.file_id}"
