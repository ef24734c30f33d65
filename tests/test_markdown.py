"""Article HTML is safe, and its anchors are the ones that passages link to."""

from html.parser import HTMLParser

import pytest
from django.utils.safestring import SafeString
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import split_article
from knowledge.markdown import (
    anchor_at,
    heading_anchors,
    plain_text,
    render_fragment,
    render_inline,
    render_markdown,
)

ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//x.test></sCrIpT>",
    '<img src=x onerror="alert(1)">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="JaVa\tScript:alert(1)">x</a>',
    '<a href="&#106;avascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "![x](javascript:alert(1))",
    '![x](x "" onerror=alert(1)")',
    "<javascript:alert(1)>",
    "[r]\n\n[r]: javascript:alert(1)",
    '<iframe src="https://x.test"></iframe>',
    '<object data="x"></object><embed src=x>',
    "<svg><script>alert(1)</script></svg>",
    "<svg/onload=alert(1)>",
    '<math><mi xlink:href="javascript:alert(1)">x</mi></math>',
    '<p style="position:fixed">x</p>',
    "<style>*{display:none}</style>",
    '<form action="https://x.test"><input name=q><button>ok</button></form>',
    '<base href="https://x.test"><meta http-equiv=refresh content=0><link rel=stylesheet href=x>',
    '<div id="csrf" class="modal" onclick="x()">x</div>',
    '<h2 id="location" class="x">x</h2>',
    '<a target="_blank" rel="opener" ping="//x" href="https://x.test">x</a>',
    '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--><script>alert(1)</script>-->",
    "<details ontoggle=alert(1) open>x</details>",
    "`<script>`</code><script>alert(1)</script>",
    '```"><script>alert(1)</script>\nx\n```',
    "## <img src=x onerror=alert(1)> *x*",
    "a|b\n-|-\n<script>alert(1)</script>|<b onmouseover=x>y</b>",
    '<video src=x onerror=alert(1)><source onerror="alert(1)"></video>',
]
FORBIDDEN_TAGS = {
    "script", "style", "iframe", "object", "embed", "svg", "math", "form", "input", "button", "base", "meta",
    "link", "noscript", "video", "source", "h1", "template",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "href", "title", "src", "alt", "width", "height", "start", "colspan", "rowspan", "scope", "open", "class",
    "tabindex", "id", "rel", "loading",
}  # fmt: skip
OWN_CLASSES = {"table-scroll", "callout", "align-left", "align-center", "align-right"} | {
    f"callout-{kind}" for kind in ("note", "tip", "important", "warning", "caution")
}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


def tags_of(html: str) -> list[tuple[str, dict[str, str]]]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.tags


def assert_safe(html: str) -> None:
    assert isinstance(html, SafeString)
    for tag, attributes in tags_of(html):
        assert tag not in FORBIDDEN_TAGS
        assert set(attributes) <= ALLOWED_ATTRIBUTES
        assert set(attributes.get("class", "").split()) <= OWN_CLASSES
        for name in ("href", "src"):
            target = attributes.get(name, "")
            scheme = target.partition(":")[0] if ":" in target.partition("/")[0] else ""
            assert scheme.lower() in {"", "http", "https", "mailto", "tel"}
        if tag == "a":
            assert attributes.get("rel") == "noopener noreferrer"


@pytest.mark.parametrize("render", [render_markdown, render_fragment, render_inline])
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_disarmed(attack: str, render) -> None:
    html = render(attack)
    assert_safe(html)
    assert "id" not in {name for tag, found in tags_of(html) if tag != "h2" for name in found}
    assert 'id="location"' not in html


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*ATTACKS, "# a", "> ", "- ", "\n", "\n\n", "text", "`", "|", "*", '"', "<", ">"]),
        max_size=8,
    )
)
def test_combined_attacks_are_disarmed(parts: list[str]) -> None:
    assert_safe(render_markdown("".join(parts), resolve_link=lambda _: "javascript:alert(1)"))
    assert_safe(render_fragment("".join(parts), preface="a|b\n-|-"))


def test_a_resolver_cannot_smuggle_a_scheme() -> None:
    html = render_markdown("[x](article:a)", resolve_link=lambda _: "javascript:alert(1)")
    assert_safe(html)
    assert "javascript" not in html


def test_headings_start_at_h2_with_unique_anchors() -> None:
    body = "# Größe & *Maß*\n\n## Größe & Maß\n\n#### Deep\n\n# !!!\n\n# größe maß-2\n\n> # quoted"
    headings = heading_anchors(body)
    assert [(heading.level, heading.anchor) for heading in headings] == [
        (2, "groesse-mass"), (3, "groesse-mass-2"), (5, "deep"), (2, "section"), (2, "groesse-mass-2-2"),
    ]  # fmt: skip
    rendered = [(tag, found["id"]) for tag, found in tags_of(render_markdown(body)) if "id" in found]
    assert rendered == [(f"h{heading.level}", heading.anchor) for heading in headings]
    assert headings[0].text == "Größe & Maß"


def test_articles_that_begin_with_a_lower_heading_still_start_at_h2() -> None:
    assert [heading.level for heading in heading_anchors("### a\n\n#### b")] == [2, 3]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["# A", "## A", "## B 2", "text", "- x\n\n  # in list", "A\n===", "<h2 id=a>A</h2>", "##"]
        ),
        max_size=9,
    )
)
def test_anchors_are_unique_and_the_rendered_ones(parts: list[str]) -> None:
    body = "\r\n\r\n".join(parts)
    anchors = [heading.anchor for heading in heading_anchors(body)]
    assert len(set(anchors)) == len(anchors)
    assert [found["id"] for _, found in tags_of(render_markdown(body)) if "id" in found] == anchors


def test_a_chunk_finds_the_anchor_above_it() -> None:
    body = "Lead.\r\n\r\n## Same\r\n\r\nOne.\r\n\r\n## Same\r\n\r\nTwo."
    chunks = split_article("T", body, count_tokens=lambda text: len(text.split()), max_tokens=99)
    headings = heading_anchors(body)
    assert [anchor_at(headings, chunk.start) for chunk in chunks] == ["", "same", "same-2"]


def test_article_links_are_resolved_and_dead_ones_leave_their_text() -> None:
    html = render_markdown(
        "[Open *it*](article:live#x) and [gone `y`](article:dead) and [web](https://x.test)",
        resolve_link=lambda href: "/a/live/" if href == "article:live#x" else None,
    )
    assert '<a href="/a/live/" rel="noopener noreferrer">Open <em>it</em></a>' in html
    assert "gone <code>y</code> and" in html
    assert html.count("<a ") == 2
    assert "article:" not in render_markdown('[a](article:x) <a href="article:x">b</a>')


def test_an_error_in_the_resolver_surfaces() -> None:
    def fail(href: str) -> str:
        raise LookupError(href)

    with pytest.raises(LookupError):
        render_markdown("[a](article:x)", resolve_link=fail)


def test_tables_scroll_and_align() -> None:
    html = render_markdown("a | b\n:-- | --:\n1 | 2\n\n<table><tr><td>raw</td></tr></table>")
    assert html.count('<div class="table-scroll" tabindex="0"><table>') == 2
    assert '<td class="align-right">2</td>' in html


def test_callouts_keep_their_kind_and_lose_their_marker() -> None:
    html = render_markdown("> [!WARNING]\n> Hot.")
    assert '<blockquote class="callout callout-warning">' in html
    assert "WARNING" not in html


def test_a_fragment_has_no_anchors_and_gets_its_table_head_back() -> None:
    assert "id=" not in render_fragment("## A\n\ntext")
    html = render_fragment("| 3 | 4 |", preface="Prices:\n\n| a | b |\n|---|---|")
    assert "<th>a</th>" in html
    assert "<td>4</td>" in html
    assert "Prices" not in html
    assert '<ol start="3">' in render_fragment("3. x\n4. y")
    assert "<li>inner" in render_fragment("      - inner\n      - more")


def test_inline_has_no_blocks() -> None:
    assert render_inline("**a** ![i](x) <div>b</div> `c`") == "<strong>a</strong>  b <code>c</code>"


def test_plain_text_reads_like_the_page() -> None:
    body = (
        "# H\n\nA **b** [c](/x).  \nNew\nline.\n\n3. x\n   - y\n4. z\n\n"
        "a|b\n-|-\n1|2\n\n```\nk = 1\n```\n<p>P &lt; Q</p>"
    )
    assert plain_text(body) == "H\nA b c.\nNew line.\n3. x\n  - y\n4. z\na, b\n1, 2\nk = 1\nP < Q"
    assert plain_text("") == ""


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab <>&;#*_`[]()!|-\n1.\x00\r", max_size=120))
def test_nothing_breaks_on_odd_text(body: str) -> None:
    assert_safe(render_markdown(body))
    assert_safe(render_fragment(body))
    assert_safe(render_inline(body))
    plain_text(body)
