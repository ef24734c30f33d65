"""Addresses that are kept or sent are the site's, whoever's request they are made in.

Inside the widget every address leads on within it (`assistant.widget.middleware`) and carries its pass, which belongs
into no row and no mail.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.urls import get_script_prefix, set_script_prefix


@contextmanager
def of_the_site() -> Iterator[None]:
    before = get_script_prefix()
    set_script_prefix("/")
    try:
        yield
    finally:
        set_script_prefix(before)
