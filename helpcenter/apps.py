from django.apps import AppConfig


class HelpcenterConfig(AppConfig):
    """Holds what belongs to the installation as a whole: settings checks and the `serve` command."""

    name = "helpcenter"

    def ready(self) -> None:
        from helpcenter import checks  # noqa: F401  (registers the system checks)
