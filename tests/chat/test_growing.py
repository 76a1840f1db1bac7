"""A growing answer is shown block by block, and ends as the same HTML that a reload shows."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from chat import rendering
from chat.growing import Growing, Grown
from chat.growths import Part
from chat.rendering import to_safe_html
from devnet.providers import lengths

BLOCKS = [
    "# Top\n",
    "### Deeper\n",
    "Words in a paragraph,\nof two lines with `code` and **bold**.\n",
    "> quoted\n> more\n\n> apart\n",
    "- one\n- two\n- three\n",
    "- one\n\n- two\n- three\n",
    "* a\n  - b\n  - c\n* d\n\n  second paragraph\n* e\n",
    "3. c\n4. d\n   ```py\n   - no item\n   ```\n5. e\n",
    "1. a\n1) another list\n- and another\n",
    "- [x] done\n- [ ] to do\n",
    "- ```py\n  x = 1\n  ```\n- after\n",
    "Points:\n- close\n- to it\n",
    "```python\ndef f():\n    '''Two\n    lines.'''\n\n    return \"<b>&\"\n```\n",
    "```\n" + "plain & <simple>\n" * 95 + "```\n",
    "~~~nosuch\n\n- x\n\n~~~\n",
    "| a | b |\n| :-- | --: |\n| 1 | `x` |\n| 2 |\n",
    "| a | b |\n|---|---|\nno pipes\n| <i> | & |\n",
    "Head:\n| a |\n|---|\n| 1 |\n- a list ends it\n",
    "| many | rows |\n|---|---|\n" + "| 1 | 2 |\n" * 95,
    "| no | table |\n| at all |\n",
    "---\n",
    "* * *\n",
    "    indented\n\n    code\n",
    "Grüße 你好 \u202eetxt\u202c ✓\n",
    "- a\n\ntext between\n\n- b\n",
    "[named]: https://a.example\n",
    "See [named] and <https://b.example>.\n",
]


class Page:
    """What a page makes of what it is told: as static/js/stream.js does."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.tail = ""

    def take(self, grown: Grown) -> None:
        for part in grown.parts:
            self._place(part)
        self.tail = self.tail + grown.text if grown.tail is None else grown.tail

    @property
    def html(self) -> str:
        return "".join(self.blocks)

    def _place(self, part: Part) -> None:
        if part.place == "block":
            self.blocks.append(part.html)
        elif part.place == "anew":
            self.blocks[-1] = part.html
        else:
            self.blocks[-1] = _inserted(self.blocks[-1], part)


def _inserted(block: str, part: Part) -> str:
    ends = {"table": "</table>", "rows": "</tbody>", "code": "</code>", "lines": "</span></code>"}
    last = block.rstrip().rindex("</")
    end = block.rindex(ends[part.place]) if part.place in ends else last
    return block[:end] + part.html + block[end:]


def _texts() -> Iterator[str]:
    chance = random.Random(11)
    for _ in range(400):
        blocks = chance.choices(BLOCKS, k=chance.randint(1, 9))
        if any("named" in block for block in blocks):
            blocks.insert(0, "[named]: https://first.example\n")
        yield "".join(block + "\n" * chance.randint(0, 2) for block in blocks)


def _pieces(text: str, chance: random.Random) -> Iterator[str]:
    while text:
        size = chance.choice([1, 2, 3, 5, 8, 40, 400])
        yield text[:size]
        text = text[size:]


def _show(text: str, chance: random.Random) -> Page:
    page, growing = Page(), Growing()
    for piece in _pieces(text, chance):
        page.take(growing.feed(piece))
        assert page.html == growing.html
        assert page.tail == growing.tail
    page.take(growing.end())
    assert page.tail == ""
    return page


def test_however_it_comes_it_ends_as_the_whole_text() -> None:
    chance = random.Random(5)
    for text in _texts():
        assert _show(text, chance).html == to_safe_html(text), text


def test_a_page_made_in_the_middle_shows_what_the_others_show() -> None:
    chance = random.Random(6)
    for text in _texts():
        growing, before = Growing(), ""
        for piece in _pieces(text, chance):
            growing.feed(piece)
            before += piece
            made_now = Growing()
            made_now.feed(before)
            assert (made_now.html, made_now.tail) == (growing.html, growing.tail), before


@pytest.mark.parametrize("kind", lengths.KINDS)
def test_what_has_been_shown_is_not_shown_again(kind: str) -> None:
    """Each part is sent once; only code gets its colours when its fence is closed."""
    growing, sent = Growing(), 0
    text = lengths.text(kind, 4000)
    pieces = [text[start : start + 20] for start in range(0, len(text), 20)]
    for grown in [*map(growing.feed, pieces), growing.end()]:
        assert all(part.place != "anew" or 'class="k"' in part.html for part in grown.parts)
        sent += sum(len(part.html) for part in grown.parts) + len(grown.tail or grown.text)
    assert sent < 4 * len(to_safe_html(text))


@pytest.mark.parametrize(
    "unit", ["- a\n", "word ", "| a | b |\n", "`", "a\n", "```\n", "1. x\n\n", "|-|\n", "> a\n"]
)
def test_the_work_grows_no_faster_than_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    formatted = []
    honest = rendering._to_safe_html
    monkeypatch.setattr(
        rendering, "_to_safe_html", lambda *given: formatted.append(given[0]) or honest(*given)
    )
    growing = Growing()
    for _ in range(3000):
        growing.feed(unit)
    growing.end()
    assert sum(map(len, formatted)) < 8 * len(unit) * 3000 + 10_000


def test_rows_below_a_wide_head_are_formatted_with_the_whole_table() -> None:
    growing = Growing()
    growing.feed("|a" * 800 + "\n" + "|-" * 800 + "\n| 1 |\n")
    assert growing.kind == "text"
