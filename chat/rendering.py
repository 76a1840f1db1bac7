"""Hostile Markdown to allowed HTML: the one place where a model's words become markup.

Two walls: the Markdown parser is told to emit nothing live (no raw HTML, no images, no link
that is not http, https or mailto), and whatever it emits still passes an allow-list.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.tasklists import tasklists_plugin
from pygments import format as formatted
from pygments.formatters import HtmlFormatter
from pygments.lexers import find_lexer_class_by_name

if TYPE_CHECKING:
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_core import StateCore
    from pygments.lexer import Lexer

MAX_RENDERED = 100_000  # characters; a longer text is shown as it is, unformatted
MAX_HIGHLIGHTED = 20_000  # characters of one code block
HIGHLIGHT_SECONDS = 0.2  # of this thread's CPU, for all the code of one text
_MAX_CACHED = 20_000
LINES_TOGETHER = 40  # of code: what is off the screen is not laid out
ROWS_TOGETHER = 40  # of a table: those above are not laid out again where a row follows

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_SCHEMES = {"http", "https", "mailto"}
_TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"),
    *("strong", "em", "s", "a", "code", "pre", "span", "div", "button"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "rel", "class"},
    "ol": {"start"},
    "li": {"class"},
    "span": {"class"},
    "div": {"class", "tabindex"},
    "code": {"class"},
    "button": {"class", "type", "data-copy-code"},
    "pre": {"tabindex"},
    "th": {"class"},
    "td": {"class"},
}
_DIRECTION_MARKS = {
    ord(mark): None for mark in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
}
# Only languages whose lexers never search long for one token: those of all others are an attack.
_LANGUAGES = {
    **{name: name for name in ("python", "javascript", "typescript", "jsx", "json", "bash")},
    **{name: name for name in ("html", "css", "sql", "yaml", "toml", "xml", "java", "kotlin")},
    **{name: name for name in ("c", "cpp", "csharp", "go", "rust", "ruby", "php", "swift")},
    **{name: name for name in ("lua", "r", "solidity", "diff", "ini", "docker", "make")},
    **{"py": "python", "js": "javascript", "ts": "typescript", "sh": "bash", "shell": "bash"},
    **{"zsh": "bash", "yml": "yaml", "c++": "cpp", "c#": "csharp", "cs": "csharp", "rs": "rust"},
    **{"rb": "ruby", "golang": "go", "kt": "kotlin", "sol": "solidity", "dockerfile": "docker"},
    **{"makefile": "make", "svg": "xml"},
}
_FORMATTER = HtmlFormatter(nowrap=True)


SoFar = dict[str, Any]  # what a text's beginning says of its rest: headings, links, time left


def to_safe_html(text: str, so_far: SoFar | None = None) -> SafeString:
    """Return `text` (Markdown of an unknown author) as HTML that is safe in our pages.

    Never raises on any text. Remote images become links, so that nothing is fetched unasked;
    characters that reverse the reading direction are dropped. Where the text goes on after others,
    `so_far` is what they have left, a dict that is empty before the first.
    """
    if so_far is None and len(text) <= _MAX_CACHED:
        return _cached(text)
    return _to_safe_html(text, {} if so_far is None else so_far)


def part_to_safe_html(text: str, so_far: SoFar) -> SafeString:
    """The same for a part of a block that is not complete: it is formatted with the block again."""
    ours = so_far | {"headings": list(so_far.get("headings", ()))}
    html = _to_safe_html(text, ours)
    so_far["left"] = ours.get("left", HIGHLIGHT_SECONDS)
    return html


def code_lines(lines: str) -> str:
    """Return whole lines of code as `to_safe_html` shows those that it does not colour."""
    return _CLEANER.clean(escape(lines.translate(_DIRECTION_MARKS)))


@lru_cache(maxsize=512)
def _cached(text: str) -> SafeString:
    return _to_safe_html(text, {})


def _to_safe_html(text: str, so_far: SoFar) -> SafeString:
    text = text.translate(_DIRECTION_MARKS)
    if len(text) > MAX_RENDERED:
        return mark_safe(f'<div class="prose__plain">{escape(text)}</div>')  # noqa: S308
    return mark_safe(_CLEANER.clean(_MARKDOWN.render(text, so_far)))  # noqa: S308


def _is_allowed_link(url: str) -> bool:
    try:
        return urlsplit(url.strip()).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _link_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow ugc")
    return str(renderer.renderToken(tokens, index, options, env))


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    url, label = str(tokens[index].attrGet("src") or ""), escape(tokens[index].content or "image")
    if not _is_allowed_link(url):
        return label
    rel = "noopener noreferrer nofollow ugc"
    return f'<a class="prose__image" rel="{rel}" href="{escape(url)}">Image: {label}</a>'


def _table_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return '<div class="prose__table" tabindex="0"><table>'


def _table_close(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return "</table></div>"


def _cell_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    """The parser aligns cells with style attributes, which our CSP forbids: use a class."""
    token = tokens[index]
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrSet("class", "cell--" + style.removeprefix("text-align:"))
    return str(renderer.renderToken(tokens, index, options, env))


def _task_box(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    """With raw HTML off, the task list's check boxes are the only inline HTML there is."""
    done = 'checked="checked"' in tokens[index].content
    word, box = ("Done:", "☑") if done else ("To do:", "☐")
    return f'<span class="visually-hidden">{word} </span><span class="task-box">{box}</span>'


def _code_block(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    token = tokens[index]
    language = (token.info.split() or [""])[0][:30]
    label = f'<span class="code__language">{escape(language or "text")}</span>'
    copy = '<button class="code__copy" type="button" data-copy-code="1">Copy</button>'
    code = _together(_highlighted(token.content, language.lower(), env))
    return (
        f'<div class="code"><div class="code__head">{label}{copy}</div>'
        f'<pre tabindex="0"><code class="code__text">{code}</code></pre></div>'
    )


def _together(code: str) -> str:
    lines = _LINE.findall(code)
    starts = range(0, len(lines), LINES_TOGETHER)
    groups = ("".join(lines[start : start + LINES_TOGETHER]) for start in starts)
    return "".join(f'<span class="code__lines">{group}</span>' for group in groups)


def _highlighted(code: str, language: str, env: SoFar) -> str:
    """Colour `code`, within what is left of the text's time: a lexer can be made to crawl."""
    if language not in _LANGUAGES or len(code) > MAX_HIGHLIGHTED:
        return escape(code)
    known, left = _coloured(code, language), env.get("left", HIGHLIGHT_SECONDS)
    if not known.html and left > 0:
        until = time.thread_time() + left
        tokens = list(takewhile(lambda _: time.thread_time() < until, _tokens(code, language)))
        env["left"] = until - time.thread_time()
        known.html = str(formatted(tokens, _FORMATTER)) if env["left"] > 0 else ""
    return known.html or escape(code)


@dataclass(slots=True)
class _Coloured:
    """Code in colours; "" where there was no time for them yet."""

    html: str = ""


@lru_cache(maxsize=256)
def _coloured(code: str, language: str) -> _Coloured:
    """The place for this code: a growing answer's code is formatted again when it has ended."""
    return _Coloured()


def _tokens(code: str, language: str) -> Iterator[tuple[Any, str]]:
    lexer = _lexer_class(_LANGUAGES[language])(stripnl=False, ensurenl=False)
    return iter(lexer.get_tokens(code))


@cache
def _lexer_class(name: str) -> type[Lexer]:
    lexer: type[Lexer] = find_lexer_class_by_name(name)
    return lexer


def _level_headings(state: StateCore) -> None:
    """A model's headings begin below the page's own two levels, and skip none."""
    above: list[str] = state.env.setdefault("headings", [])
    for token in state.tokens:
        if token.type == "heading_open":
            above[:] = [*(tag for tag in above if tag < token.tag), token.tag]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, 2 + len(above))}"


def _group_rows(state: StateCore) -> None:
    tokens: list[Token] = []
    ends: list[Token] = []
    rows = 0
    for token in state.tokens:
        if token.type == "tbody_open":
            end = Token("tbody_close", "tbody", -1, block=True, level=token.level)
            ends, rows = [end, token], 0
        elif token.type == "tr_open" and ends:
            tokens += ends if rows and rows % ROWS_TOGETHER == 0 else []
            rows += 1
        elif token.type == "tbody_close":
            ends = []
        tokens.append(token)
    state.tokens = tokens


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False})
    parser.enable(["table", "strikethrough"]).use(tasklists_plugin)
    parser.validateLink = _is_allowed_link  # type: ignore[method-assign]
    parser.core.ruler.push("level_headings", _level_headings)
    parser.core.ruler.push("group_rows", _group_rows)
    for kind, rule in {
        "link_open": _link_open,
        "image": _image,
        "table_open": _table_open,
        "table_close": _table_close,
        "th_open": _cell_open,
        "td_open": _cell_open,
        "html_inline": _task_box,
        "fence": _code_block,
        "code_block": _code_block,
    }.items():
        parser.add_render_rule(kind, rule)
    return parser


_MARKDOWN = _parser()
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    link_rel=None,
    attribute_filter=None,
    generic_attribute_prefixes=None,
)
