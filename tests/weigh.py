"""What a visitor's browser loads: bytes, requests, and the time to the first byte. `make weigh`; docs/frontend.md.

Against a running site, with a cold cache and with a warm one. It asks one question there.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browsing import CHROMIUM, FLAGS, PHONE

_LIMIT_KB = 150  # without images
_ROUNDS = 5


@dataclass(frozen=True)
class Weight:
    kilobytes: float  # as sent, compressed, without images
    requests: int
    first_byte_ms: float  # median over the rounds, of the page itself
    shift: float  # cumulative layout shift, 0..; below 0.1 is good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", default="http://127.0.0.1:8000")
    parser.add_argument("--language", default="en", choices=["de", "en"])
    options = parser.parse_args()
    site, language = options.site.rstrip("/"), options.language
    print(f"{'page':<22}{'kB':>8}{'requests':>10}{'first byte':>12}{'shift':>8}   again: kB, requests")
    heaviest = 0.0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        for name, address in _pages(browser, site, language):
            cold, warm = _weigh(browser, address)
            heaviest = max(heaviest, cold.kilobytes)
            print(
                f"{name:<22}{cold.kilobytes:>8.1f}{cold.requests:>10}{cold.first_byte_ms:>9.0f} ms{cold.shift:>8.3f}"
                f"   {warm.kilobytes:.1f}, {warm.requests}"
            )
        browser.close()
    print(f"heaviest: {heaviest:.1f} kB of {_LIMIT_KB}")
    return int(heaviest > _LIMIT_KB)


def _pages(browser: Browser, site: str, language: str) -> list[tuple[str, str]]:
    home = f"{site}/{language}/"
    page = browser.new_page()
    page.goto(home)
    category = page.locator("main .category-card h3 a").first.get_attribute("href")
    article = page.locator("main .category-card li a").first.get_attribute("href")
    question = {
        "de": "Wie lange kann ich mein Abo pausieren?",
        "en": "How long can I pause my subscription?",
    }
    page.locator("main textarea[name=text]").first.fill(question[language])
    page.locator("main button[value=ask]").first.click()
    page.locator("main .answer, main .outcome").first.wait_for()
    answer = page.url
    page.close()
    return [
        ("home", home),
        ("search", f"{home}search/?q=abo"),
        ("category", f"{site}{category}"),
        ("article", f"{site}{article}"),
        ("answer", answer),
        ("ticket form", f"{home}contact/"),
        ("how our AI works", f"{home}how-our-ai-works/"),
        ("404", f"{home}nothing-here/"),
    ]


def _weigh(browser: Browser, address: str) -> tuple[Weight, Weight]:
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    cold = _load(page, address)
    again = [_load(page, address) for _round in range(_ROUNDS)]
    context.close()
    waits = [cold.first_byte_ms, *(one.first_byte_ms for one in again)]
    return Weight(cold.kilobytes, cold.requests, statistics.median(waits), cold.shift), again[-1]


def _load(page: Page, address: str) -> Weight:
    page.goto(address, wait_until="load")
    page.wait_for_timeout(300)
    found = page.evaluate(
        """async () => {
          const shift = await new Promise((done) => {
            let sum = 0;
            new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; })
              .observe({ type: "layout-shift", buffered: true });
            setTimeout(() => done(sum), 100);
          });
          const [page] = performance.getEntriesByType("navigation");
          const parts = performance.getEntriesByType("resource");
          const isImage = (part) => part.initiatorType === "img" || /[.](png|jpe?g|webp|avif|gif)$/.test(part.name);
          const loaded = [page, ...parts].filter((part) => !isImage(part));
          return {
            bytes: loaded.reduce((sum, part) => sum + part.transferSize, 0),
            requests: loaded.filter((part) => part.transferSize > 0).length,
            wait: page.responseStart - page.requestStart,
            shift,
          };
        }"""
    )
    return Weight(found["bytes"] / 1000, found["requests"], found["wait"], found["shift"])


if __name__ == "__main__":
    sys.exit(main())
