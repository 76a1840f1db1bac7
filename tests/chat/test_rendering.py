"""Hostile Markdown: nothing of it may run, load or deceive."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest

from chat.rendering import MAX_RENDERED, to_safe_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><circle/></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](  javascript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](//evil.example/x)",
    "[x](/devnet/account/)",
    "[x](?delete)",
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    '![" onerror="alert(1)](https://a.example/" onerror="alert(1))',
    '<https://ok.example/" onmouseover=alert(1)>',
    "[x](https://a.example 'title\" onclick=\"alert(1)')",
    "```html\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "| <b onclick=alert(1)>a</b> |\n|---|\n| </td><script>alert(2)</script> |",
    "- [x] <input onfocus=alert(1) autofocus>",
    "<style>*{display:none}</style>",
    "<form action=https://evil.example><input name=q></form>",
    "<div hx-get='/devnet/account/' hx-trigger='load'>x</div>",
    "[ref]\n\n[ref]: javascript:alert(1)",
    "<!--><img src=x onerror=alert(1)>-->",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "\u202etxt.exe\u202c \u2066x\u2069",
    "data: [DONE]\n\nevent: close\n\n",
]
SAFE_TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"),
    *("strong", "em", "s", "a", "code", "pre", "span", "div", "button"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
SAFE_ATTRIBUTES = {"href", "title", "rel", "class", "start", "tabindex", "type", "data-copy-code"}


class Inspector(HTMLParser):
    """Fails on anything in the markup that is not known to be harmless."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SAFE_TAGS, tag
        for name, value in attrs:
            assert name in SAFE_ATTRIBUTES, (tag, name)
            if name == "href":
                assert (value or "").startswith(("http://", "https://", "mailto:")), value
        if tag == "a":
            assert dict(attrs)["rel"] == "noopener noreferrer nofollow ugc"


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_comes_through(text: str) -> None:
    html = to_safe_html(text)
    Inspector().feed(html)
    assert not set(html) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_all_of_it_at_once() -> None:
    Inspector().feed(to_safe_html("\n\n".join(HOSTILE)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        ">" * 60_000,
        "- " * 30_000,
        "*a_ " * 15_000,
        "![a](" * 12_000,
        "`" * 60_000,
        "<a" * 30_000,
        "".join(" " * (2 * depth) + "- x\n" for depth in range(300)),
        "```python\n" + "(" * 19_000 + "\n```",
        "|a" * 500 + "\n" + "|-" * 500 + "\n" + ("|x" * 500 + "\n") * 50,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_deep_nesting_ends_soon(text: str) -> None:
    started = time.perf_counter()
    Inspector().feed(to_safe_html(text))
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("language", "unit"),
    [("python", " \n"), ("ts", "a."), ("java", "\n"), ("c", "/"), ("console", "0"), ("css", '"\\')],
)
def test_code_that_makes_a_lexer_crawl_is_shown_plain(language: str, unit: str) -> None:
    code = unit * (20_000 // len(unit) - 1)
    started = time.thread_time()
    html = to_safe_html(f"```{language}\n{code}\n```\n" * 4)
    assert time.thread_time() - started < 2
    assert html.count('class="code"') == 4


def test_a_text_that_is_too_long_is_shown_as_it_is() -> None:
    started = time.perf_counter()
    html = to_safe_html("<b>" * 333_000)
    assert time.perf_counter() - started < 2
    Inspector().feed(html)
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert len("<b>" * 333_000) > MAX_RENDERED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**bold** ~~gone~~", "<strong>bold</strong> <s>gone</s>"),
        ("3. c\n4. d", '<ol start="3">'),
        ("- [x] a\n- [ ] b", "☑"),
        ("| a |\n|--:|\n| 1 |", '<td class="cell--right">1</td>'),
        ("```python\nx = 1\n```", '<span class="mi">1</span>'),
        ("```nosuchlanguage\n<x>\n```", "&lt;x&gt;"),
        ("[a](https://a.example/?q=1&r=2)", 'href="https://a.example/?q=1&amp;r=2"'),
        ("<mailto:a@b.example>", 'href="mailto:a@b.example"'),
        ("![a cat](https://a.example/c.png)", ">Image: a cat</a>"),
        ("<b>", "&lt;b&gt;"),
        ("# Top", "<h3>Top</h3>"),
        ("##### Deep", "<h3>Deep</h3>"),
        ("# A\n\n### B\n\n## C\n\n# D", "<h4>B</h4>\n<h4>C</h4>\n<h3>D</h3>"),
        ("```PY\nx = 1\n```", '<span class="mi">1</span>'),
    ],
)
def test_markdown_looks_as_it_should(text: str, expected: str) -> None:
    assert expected in to_safe_html(text)
