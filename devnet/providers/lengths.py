"""Answers of a wanted length in tokens: a mix of everything, or one block that keeps growing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count, islice

from devnet.providers import tokens

LONGEST = 30_000  # tokens
SENTENCES = (
    "A provider registers its service on chain and names the key that signs its answers.",
    "Every answer is paid for by the token, out of what was locked with this provider.",
    "The fee stays unsettled for a while; then a batch of fees is taken in one transaction.",
    "A signature says which key stood behind these bytes, and nothing about their truth.",
    "Whoever hashes the bytes as they arrive can compare them with what was signed.",
    "Grüße aus dem Devnet: naïve façades, 數據, данные and δεδομένα all arrive whole. ✓",
    "Balances are integers, so nothing is lost between the first answer and the last.",
    "Streams may pause, break or end early; a careful reader notices each of these.",
    "What is locked can be asked back, and comes home after the lock time has passed.",
    "Test providers keep the same rules as real ones, except that nobody has to trust them.",
)
_WANTED = re.compile(r"\b(\d{1,2},?\d{3}|\d{1,5}) tokens? of (a |one )?(\w+)")


def wanted(question: str) -> tuple[int, str] | None:
    """The tokens and the kind that a question (in lower case) asks for, as in "10,000 tokens of
    a mix"; None where it asks for none of KINDS."""
    found = _WANTED.search(question)
    if found is None or found[3] not in KINDS:
        return None
    return min(max(int(found[1].replace(",", "")), 1), LONGEST), found[3]


def text(kind: str, size: int) -> str:
    """Text of exactly `size` tokens."""
    parts, most = [], 0
    for part in KINDS[kind]():
        parts.append(part)
        most += len(tokens.split(part))
        if most >= size * 3 // 2 + 100:  # parts that meet share tokens
            break
    return "".join(tokens.split("".join(parts))[:size])


def reasoning(size: int) -> str:
    """Plain sentences of exactly `size` tokens."""
    return text("paragraph", size)


def _paragraph() -> Iterator[str]:
    for number in count():
        yield SENTENCES[number % len(SENTENCES)] + " "


def _code() -> Iterator[str]:
    yield "```python\n"
    for number in count():
        yield (
            f"def fee_{number}(prompt_tokens: int, completion_tokens: int) -> int:\n"
            f'    """Neuron of request {number}, exactly."""\n'
            f"    return prompt_tokens * {number + 3} + completion_tokens * INPUT_PRICE\n\n\n"
        )


def _table() -> Iterator[str]:
    yield "| Request | Step | Fee (neuron) | Signed by |\n| ---: | :--- | ---: | --- |\n"
    for number in count(1):
        yield f"| {number} | `settle` after **{number % 7}** s | {number * 1600} | key {number} |\n"


def _list() -> Iterator[str]:
    for number in count(1):
        yield f"{number}. **Request {number}**: {SENTENCES[number % len(SENTENCES)]}\n"


def _mix() -> Iterator[str]:
    for number in count(1):
        yield f"## Part {number}\n\n"
        yield from islice(_paragraph(), number % 3, number % 3 + 3)
        yield "\n\n"
        yield from islice(_list(), 4)
        yield "\n"
        yield from islice(_table(), 5)
        yield "\n> " + SENTENCES[number % len(SENTENCES)] + "\n\n"
        yield from islice(_code(), 4)
        yield "```\n\n"
        yield from islice(_paragraph(), 4)
        yield "\n\n"


KINDS: dict[str, Callable[[], Iterator[str]]] = {
    "mix": _mix,
    "paragraph": _paragraph,
    "code": _code,
    "table": _table,
    "list": _list,
}
