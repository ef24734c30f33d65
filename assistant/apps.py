from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AssistantConfig(AppConfig):
    name = "assistant"
    verbose_name = _("Assistant")

    def ready(self) -> None:
        from assistant.desk.rules import holidays
        from assistant.hooks import events
        from assistant.roles import ensure_groups
        from knowledge.site import holidays_from

        events.connect()
        holidays_from(holidays)
        # knowledge is the last of ours in INSTALLED_APPS: by then the permissions of all exist.
        post_migrate.connect(
            ensure_groups, sender=apps.get_app_config("knowledge"), dispatch_uid="assistant.roles"
        )
