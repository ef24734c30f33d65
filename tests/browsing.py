"""What the browser tests share: pages as visitors have them, and a list of what goes wrong on them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize, expect

expect.set_options(timeout=15_000)  # ms; two cores may have other work to do

CHROMIUM = Path("/usr/bin/chromium")  # Debian's
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}


@dataclass
class Watch:
    """What a page did that it should not: script errors, what its policy forbade, requests to somebody else."""

    problems: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


def open_page(browser: Browser, site: str, *, language: str = "en", **options: Any) -> tuple[Page, Watch]:
    values = {"viewport": PHONE, "locale": language, "base_url": site, "reduced_motion": "reduce"} | options
    context = browser.new_context(**values)
    context.set_default_timeout(10_000)
    page = context.new_page()
    watch = Watch()

    def on_request(request: Request) -> None:
        watch.requests.append(request)
        if not request.url.startswith((f"{site}/", "data:", "blob:")):
            watch.problems.append(request.url)

    def on_console(message: ConsoleMessage) -> None:
        # A refused form (422, 429, 503) is an error to the console and not to us.
        if message.type == "error" and "the server responded with a status of" not in message.text:
            watch.problems.append(message.text)

    page.on("pageerror", lambda error: watch.problems.append(str(error)))
    page.on("request", on_request)
    page.on("console", on_console)
    return page, watch
