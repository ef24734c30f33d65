"""What only another system understands becomes plain Markdown, and code stays code."""

import time

import pytest

from knowledge.importers.dialects import to_plain_markdown
from knowledge.markdown import render_markdown

MKDOCS = """Before.

!!! warning "Mind the port"
    Open **port 80**.

    ``` bash
    !!! note
    docker compose up
    ```

??? info
    Folded.

=== "Linux"

    Use `apt`.

    !!! tip
        Nested.

=== "Windows"

    Use the installer.

After."""


def _plain(body: str, **options: bool) -> str:
    return to_plain_markdown(body, **options).text


def test_notes_and_tabs_of_mkdocs_become_callouts_and_labels():
    text = _plain(MKDOCS)
    assert "> [!WARNING]\n> **Mind the port**\n>\n> Open **port 80**." in text
    assert "> ``` bash\n> !!! note\n> docker compose up\n> ```" in text
    assert "> [!NOTE]\n> Folded." in text
    assert (
        "**Linux**\n\nUse `apt`.\n\n> [!TIP]\n> Nested.\n\n**Windows**\n\nUse the installer.\n\nAfter."
        in text
    )
    html = render_markdown(text)
    assert html.count('class="callout') == 3
    assert "!!!" not in html.replace("!!! note", "", 1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (":::note\nText.\n:::", "> [!NOTE]\n> Text."),
        (":::caution[Wichtig]\nText.\n:::", "> [!CAUTION]\n> **Wichtig**\n>\n> Text."),
        ("::: tip My title\nText.\n:::", "> [!TIP]\n> **My title**\n>\n> Text."),
        ("1. Do:\n\n   :::note\n   Text.\n   :::", "1. Do:\n\n   > [!NOTE]\n   > Text."),
        (":::danger\n- a\n:::\nEnd.", "> [!CAUTION]\n>\n> - a\n\nEnd."),
        ("::::note\n:::tip\nInner.\n:::\n::::", "> [!NOTE]\n>\n> > [!TIP]\n> > Inner."),
        (":::note\nNever closed.", "> [!NOTE]\n> Never closed."),
    ],
)
def test_directives_become_callouts(source, expected):
    assert _plain(source) == expected


LIQUID = """{% comment %}Gone{% endcomment %}Open the [vault]({{site.baseurl}}/article/vault/){:target="_blank"}.

{% callout success %}Well **done**.{% endcallout %}

Use {% icon fa-plus %} **Add**.

{% capture mobile %}
### On the phone

   {% callout warning %}
   Mind.
   {% endcallout %}
{% endcapture %}
<ul class="nav nav-tabs"><li><a data-target="#m">Mobile</a></li></ul>
<div class="tab-pane" id="m">
{{ mobile | markdownify }}
</div>

{% image vault/open.png The open vault %}

{% highlight bash %}
echo {{ x }}
{% endhighlight %}

|**A**|first|
|**B**|second|

{% include widget.html %}"""


def test_template_tags_of_jekyll_become_what_they_show():
    converted = to_plain_markdown(LIQUID)
    text = converted.text
    assert "Open the [vault](/article/vault/)." in text
    assert "> [!TIP]\n> Well **done**." in text
    assert "Use **Add**." in text
    assert "### On the phone\n\n   > [!WARNING]\n   > Mind." in text
    assert "![The open vault](vault/open.png)" in text
    assert "```bash\necho {{ x }}\n```" in text
    assert "|  |  |\n| --- | --- |\n|**A**|first|" in text
    assert not any(rubbish in text for rubbish in ("{%", "nav-tabs", "tab-pane", "Gone", "capture"))
    assert converted.notes == ("the template tag “include widget.html” was left out.",)


MDX = """import Tabs from "@theme/Tabs";
import {
  Card,
} from "@astrojs/starlight/components";
import shot from "./img/shot.webp";

export const version = "1";

Start. {/* a comment */}

## Plans <Badge text="new" variant="tip" size="small" />

<Tabs groupId="os">
  <TabItem label="Linux" default>

    Run this:

    ```sh
    import x from "y";
    echo {a}
    ```

  </TabItem>
  <TabItem label="Mac">
    Open it.
  </TabItem>
</Tabs>

<Aside type="caution" title="Mind">Careful.</Aside>

<NavCardGrid>
  <NavCard
    to="/en/plans"
    title="Plans"
    description="What they cost."
  />
</NavCardGrid>

<CtaButton href="/go">Go now</CtaButton>

<Image src={shot} alt="A shot" />

Water{" "}freezes at {temperature} degrees. <Unknown prop={{ a: 1 }} />

<Steps>
1. One

   <Screenshot name="s/one" caption="The first" />
2. Two
</Steps>"""


def test_components_of_mdx_become_what_they_show():
    converted = to_plain_markdown(MDX, is_mdx=True)
    text = converted.text
    assert text.startswith("Start.")
    assert "## Plans (new)" in text
    assert '**Linux**\n\nRun this:\n\n```sh\nimport x from "y";\necho {a}\n```' in text
    assert "**Mac**\n\nOpen it." in text
    assert "> [!CAUTION]\n> **Mind**\n>\n> Careful." in text
    assert "- [Plans](/en/plans): What they cost." in text
    assert "[Go now](/go)" in text
    assert "![A shot](./img/shot.webp)" in text
    assert "Water freezes at  degrees." in text
    assert "1. One\n\n   ![The first](s/one)\n2. Two" in text
    assert "export" not in text
    assert converted.notes == (
        "the component “Unknown” was left out.",
        "the expression “{temperature}” was left out.",
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            "See [the courses](https://a.example/){.link-chevron-right}.",
            "See [the courses](https://a.example/).",
        ),
        ('**Bold** {: .lead #top title="A b"} text', "**Bold** text"),
        ("- one\n- two\n{.multi-col-list}\n\nNext.", "- one\n- two\n\nNext."),
        (
            "## Head {#head}\n\nUse `{.code}` and {braces} here.",
            "## Head {#head}\n\nUse `{.code}` and {braces} here.",
        ),
        ('Text.\n\n<p style="display:none;">\n  Tags: sprache\n</p>\n\nMore.', "Text.\n\nMore."),
        ("One.\n\n<br>\n**File:**\n\n- two", "One.\n\n**File:**\n\n- two"),
    ],
)
def test_what_only_an_editor_saw_goes(source, shown):
    assert _plain(source) == shown


def test_deep_indents_of_mdx_are_no_code_and_code_moves_as_a_whole():
    source = """3.  **Other:** values.

            * **Rest:** the time.
            Told in hours.

            ```yaml
            site:
                title: Home
            ```

After it."""
    assert (
        _plain(source, is_mdx=True)
        == """3.  **Other:** values.

    * **Rest:** the time.
    Told in hours.

    ```yaml
    site:
        title: Home
    ```

After it."""
    )
    assert _plain(source) == source


def test_footnotes_become_numbers():
    text = _plain("A bug[^later], another[^first] and again[^later]:\n\n[^first]: One.\n[^later]: Two.")
    assert text == "A bug (1), another (2) and again (1):\n\n(2) One.\n(1) Two."


@pytest.mark.parametrize(
    "body",
    [
        "Plain *text*, `{% code %}` and `:::note`.",
        "```\n!!! note\n    x\n{{ y }}\n```\n",
        "~~~~mdx\n:::note\n```\n<Tabs>\n~~~~",
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n",
        "A | B and {braces} and a < b",
        "Line one  \nline two\n\n\n\nfar below",
    ],
)
def test_what_is_plain_comes_back_unchanged(body):
    assert _plain(body) == body


@pytest.mark.parametrize(
    "piece",
    [
        "{% callout ",
        "<Tabs ",
        "!!! note\n    ",
        ":::note\n",
        "{{ ",
        "`",
        "[^a]",
        "| a ",
        "<div ",
        "{",
        "){.a ",
        '<p style="display:none">',
        "<br> ",
        "<span",
        "<span>",
        "<!--",
        "<span><!--",
        "<!---->",
        "            - a\n",
        '=== "a"\n    ',
    ],
)
def test_a_hostile_text_takes_no_more_than_linear_time(piece):
    started = time.monotonic()
    for is_mdx in (False, True):
        to_plain_markdown(piece * (60_000 // len(piece)), is_mdx=is_mdx)
    assert time.monotonic() - started < 10


def test_spans_leave_their_words_and_what_a_script_would_fill_in_goes():
    filled_in = (
        'Enter your name<span class="known"> (<code><span class="name"></span></code>)</span>, then '
        '<span style="color: red">press <b>Next</b></span>. Not `<span>here</span>`.'
    )
    assert _plain(filled_in) == "Enter your name, then press <b>Next</b>. Not `<span>here</span>`."
    assert _plain('call<span class="p">()</span>,<span> </span>then [ ]') == "call(), then [ ]"
    assert _plain('<span class="a">one <span class="b">two</span> →</span>') == "one two →"


def test_a_span_that_a_link_leads_to_stays():
    assert _plain('<span id="fees">Fees</span>') == '<span id="fees">Fees</span>'


def test_an_address_in_quotes_is_an_address():
    assert _plain('See [here]("https://example.org/a") and `[b]("https://c")`.') == (
        'See [here](https://example.org/a) and `[b]("https://c")`.'
    )


def test_comments_go_and_still_end_a_paragraph():
    assert _plain("First.\n<!-- overview -->\nSecond.<!-- aside -->") == "First.\n\nSecond."
    assert _plain("```\n<!-- in code -->\n```") == "```\n<!-- in code -->\n```"
