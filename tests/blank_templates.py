"""A template engine that renders nothing, for tests that ask whether a page is served and of whom."""

from typing import Any

from django.template.backends.base import BaseEngine


class _Blank:
    def render(self, context: Any = None, request: Any = None) -> str:
        return ""


class BlankTemplates(BaseEngine):
    app_dirname = "templates"

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__({name: params[name] for name in ("NAME", "DIRS", "APP_DIRS")})

    def from_string(self, template_code: str) -> _Blank:
        return _Blank()

    def get_template(self, template_name: str) -> _Blank:
        return _Blank()
