"""A cited passage is marked where it stands in the article, and nothing else about the article changes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.markdown import render_markdown, render_with_quote

BODY = """Intro with **bold** and `code` and a [link](https://example.org/a_b).

## How to _pause_ it

1. Open *Subscription*.
2. Choose **Pause**, then how long.
   - at most three months
   - once a year

> [!NOTE]
> Only for monthly plans.

| Plan | Price |
|------|-------|
| Basic | 9 € |
| Plus | 19 € |

```
cancel --now
```

Last paragraph, “quoted” & done.
"""


def marked_text(html: str) -> str:
    return " ".join("".join(re.findall(r"<mark[^>]*>(.*?)</mark>", html, re.DOTALL)).split())


def unmarked(html: str) -> str:
    return re.sub(r"</?mark[^>]*>", "", html)


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("Intro with **bold** and `code`", "Intro with bold and code"),
        ("**bold** and `code` and a [link](https://example.org/a_b)", "bold and code and a link"),
        ("## How to _pause_ it", "How to pause it"),
        ("_pause_ it", "pause it"),
        ("1. Open *Subscription*.\n2. Choose **Pause**", "Open Subscription.Choose Pause"),
        ("   - at most three months\n   - once a year", "at most three monthsonce a year"),
        ("> Only for monthly plans.", "Only for monthly plans."),
        ("| Basic | 9 € |\n| Plus | 19 € |", "Basic9 €Plus19 €"),
        ("cancel --now", "cancel --now"),
        ("Last paragraph, “quoted” & done.\n", "Last paragraph, “quoted” &amp; done."),
    ],
)
def test_the_passage_is_marked_and_the_rest_reads_as_before(quoted, shown):
    start = BODY.index(quoted)
    html = render_with_quote(BODY, start, start + len(quoted))
    assert html is not None
    assert marked_text(html) == shown
    assert html.count('id="quote"') == 1
    assert unmarked(html) == render_markdown(BODY)


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (5, 5), (9, 3), (0, len(BODY) + 1)])
def test_offsets_outside_the_text_mark_nothing(start, end):
    assert render_with_quote(BODY, start, end) is None


def test_what_is_no_text_marks_nothing():
    start = BODY.index("|------|")
    assert render_with_quote(BODY, start, start + len("|------|-------|")) is None


def test_a_mark_cannot_smuggle_anything_past_the_sanitiser():
    body = 'Hello <img src=x onerror="alert(1)"> <mark id="quote">mine</mark> <script>alert(2)</script> world'
    html = render_with_quote(body, 0, len(body))
    assert html is not None
    assert "alert" not in html and "onerror" not in html
    assert html.count('id="quote"') == 1


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_wherever_a_passage_begins_the_article_stays_the_same(data):
    start = data.draw(st.integers(0, len(BODY) - 1))
    end = data.draw(st.integers(start + 1, len(BODY)))
    html = render_with_quote(BODY, start, end)
    if html is not None:
        assert unmarked(html) == render_markdown(BODY)


def test_images_of_other_sites_are_links_and_are_not_loaded():
    html = render_markdown(
        "![Lock](https://tracker.example.com/p.png) ![Own](/static/a.png)\n\n"
        '[![Logo](https://x.example/l.png)](https://x.example) <img src="//evil.example/q.png" alt="Q">'
    )
    assert re.findall(r'src="([^"]*)"', html) == ["/static/a.png"]
    assert 'href="https://tracker.example.com/p.png"' in html and "Lock (tracker.example.com)" in html
    assert re.search(r'<a href="https://x.example"[^>]*>Logo</a>', html)


def test_quotation_marks_are_those_of_the_pages_language():
    text = """Sie sagt "ja" und 'nein', wie's beliebt. `"code"`"""
    assert "„ja“ und ‚nein‘, wie’s" in render_markdown(text, language="de")
    assert "“ja” und ‘nein’, wie’s" in render_markdown(text, language="en")
    assert '"ja" und' in render_markdown(text).replace("&quot;", '"')
    assert '<code>"code"</code>' in render_markdown(text, language="de").replace("&quot;", '"')
    marked = render_with_quote(text, text.index('"ja"'), text.index(" und"), language="de")
    assert marked is not None and "„" in marked and "ja" in marked_text(marked)


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_start_and_end_is_safe_with_typography(language):
    text = 'He said "yes, **really**" and\n\n- "one"\n- it\'s two\n'
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1, 3):
            html = render_with_quote(text, start, end, language=language)
            assert html is None or unmarked(html) == render_markdown(text, language=language)
