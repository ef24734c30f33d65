"""Where Django looks for an application's pages in the administration."""

from helpcenter.accounts import user_admin  # noqa: F401
