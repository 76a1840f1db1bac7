"""A part of a file of unknown origin, read name by name; what is not as expected is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from chat.forms import AskingForm
from zgcompute.addresses import checksum
from zgcompute.amounts import MAX_NEURON
from zgcompute.errors import InvalidAddress

T = TypeVar("T")
_SHA256 = re.compile(r"(?:[0-9a-f]{64})?", re.ASCII)
_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"\d{1,78}", re.ASCII)
_FEE_COUNTS = ("quantity", "unit_price", "amount", "multiplier", "divisor")


class ImportRefused(Exception):
    """The file is not imported; `str()` says what is wrong with it and where."""


def clean_text(text: str) -> str:
    """Return `text` without what no database takes: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class Part:
    """One object of the file; `where` says which, for the person. Every reader raises
    ImportRefused."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ImportRefused(f"{where} is not an object.")
        self._keys: dict[str, Any] = value
        self.where = where

    def get(self, name: str) -> Any:
        return self._keys.get(name)

    def canonical(self) -> bytes:
        """The same bytes for the same content."""
        return json.dumps(self._keys, sort_keys=True).encode()

    def items(self, name: str, most: int) -> list[Any]:
        value = self._of(name, list)
        return value if len(value) <= most else self._refuse(name, f"longer than {most:,}")

    def parts(self, name: str, most: int, where: str) -> list[Part]:
        items = enumerate(self.items(name, most), start=1)
        return [Part(item, f"{where} {number}") for number, item in items]

    def text(self, name: str, most: int) -> str:
        """A text without what a database or a reader cannot take."""
        value = self._of(name, str)
        if len(value) > most:
            self._refuse(name, f"longer than {most:,} characters")
        return clean_text(value)

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        value = self._of(name, str)
        return value if value in choices else self._refuse(name, "none of the known words")

    def flag(self, name: str) -> bool:
        return self._of(name, bool)

    def count(self, name: str, most: int) -> int:
        value = self._of(name, int)
        if isinstance(value, bool) or not 0 <= value <= most:
            self._refuse(name, "out of its range")
        return value

    def maybe_count(self, name: str, most: int) -> int | None:
        return None if self.get(name) is None else self.count(name, most)

    def neuron(self, name: str) -> int | None:
        """An amount as decimal text, or None where the file knows none."""
        return None if self.get(name) is None else self._digits(name)

    def sha256(self, name: str) -> str:
        value = self._of(name, str)
        return value if _SHA256.fullmatch(value) else self._refuse(name, "not a SHA-256")

    def key(self, name: str) -> UUID:
        try:
            return UUID(self._of(name, str))
        except ValueError:
            return self._refuse(name, "not an id")

    def moment(self, name: str) -> datetime:
        """A time with its zone; one in the future is now, one before this network is its start."""
        try:
            moment = parse_datetime(self._of(name, str))
        except ValueError:
            moment = None
        if moment is None or timezone.is_naive(moment):
            return self._refuse(name, "not a time with its zone")
        return max(_EARLIEST, min(moment, timezone.now()))

    def address(self, name: str) -> str:
        try:
            return checksum(self._of(name, str))
        except InvalidAddress:
            return self._refuse(name, "not an address")

    def parameters(self, name: str) -> dict[str, Any]:
        """What the form for them would take, and nothing else."""
        form = AskingForm(self._of(name, dict))
        return form.parameters if form.is_valid() else self._refuse(name, "out of its range")

    def fee_lines(self, name: str) -> list[dict[str, str]]:
        lines = self.parts(name, 20, f"{self.where}, fee line")
        return [
            {"label": line.text("label", 100), "unit": line.text("unit", 40)}
            | {count: str(line._digits(count)) for count in _FEE_COUNTS}
            for line in lines
        ]

    def _digits(self, name: str) -> int:
        value = self._of(name, str)
        if not _DIGITS.fullmatch(value) or int(value) > MAX_NEURON:
            self._refuse(name, "not a whole number")
        return int(value)

    def _of(self, name: str, kind: type[T]) -> T:
        value = self._keys.get(name)
        return value if isinstance(value, kind) else self._refuse(name, "missing or misformed")

    def _refuse(self, name: str, what: str) -> NoReturn:
        raise ImportRefused(f"{self.where}: {name} is {what}.")
