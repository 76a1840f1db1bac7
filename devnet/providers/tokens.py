"""The devnet's tokenizer: simple, documented, and the same for counting and for streaming.

A token is a run of at most 6 letters or 3 digits with the one space before it, a single other
character with the one space before it, or a run of up to 8 blanks or line ends. Joining the
tokens of a text gives the text back. A picture is a token for each patch of 28 × 28 pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from devnet.providers.seeing import Seen

_TOKEN = re.compile(r" ?[^\W\d_]{1,6}| ?\d{1,3}| ?[^\w\s]| ?_|\s{1,8}|.", re.DOTALL)
PER_MESSAGE = 4  # role and separators
PATCH = 28  # pixels
CACHE_BLOCK = 16  # a prefix is cached in whole blocks


def split(text: str) -> list[str]:
    """Split `text` into its tokens."""
    return _TOKEN.findall(text)


def prompt_pieces(messages: list[dict[str, Any]], pictures: Sequence[Sequence[Seen]]) -> list[str]:
    """Every token of a conversation, each message led by its role's marker tokens.

    `pictures` are those of each message.
    """
    pieces: list[str] = []
    for message, seen in zip(messages, pictures, strict=True):
        pieces += [f"<{message.get('role', 'user')}>", *[""] * (PER_MESSAGE - 1)]
        pieces += split(content_text(message.get("content")))
        pieces += [f"<{one.sha256}>" for one in seen for _ in range(_patches(one))]
    return pieces


def content_text(content: Any) -> str:
    """The text of a message whose content is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _patches(picture: Seen) -> int:
    return -(-picture.width // PATCH) * -(-picture.height // PATCH)


class PromptCache:
    """Remembers each user's last prompt: what the next one shares with its start is cached."""

    def __init__(self) -> None:
        self._last: dict[str, list[str]] = {}

    def cached_tokens(self, user: str, pieces: list[str]) -> int:
        """How many leading tokens of `pieces` the user's last prompt had too, in whole blocks."""
        last, self._last[user] = self._last.get(user, []), pieces
        shared = 0
        for before, now in zip(last, pieces, strict=False):
            if before != now:
                break
            shared += 1
        return shared // CACHE_BLOCK * CACHE_BLOCK
