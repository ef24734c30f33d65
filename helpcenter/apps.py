from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class HelpcenterConfig(AppConfig):
    """Holds what belongs to the installation as a whole: settings checks and the `serve` command."""

    name = "helpcenter"

    def ready(self) -> None:
        from django.core.signals import request_finished

        from helpcenter import address, checks  # noqa: F401  (registers the system checks)
        from helpcenter.accounts import history
        from knowledge import site

        address.install()
        history.connect()
        request_finished.connect(site.end)


class HelpcenterAdminConfig(AdminConfig):
    """Django's admin, with the quality page."""

    default_site = "helpcenter.adminsite.HelpCenterAdminSite"
