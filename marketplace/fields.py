"""Database fields for what the chain deals in; values are converted at the edge, once."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from zgcompute.addresses import checksum
from zgcompute.amounts import MAX_NEURON

_DIGITS = len(str(MAX_NEURON))


class NeuronField(models.CharField):  # type: ignore[type-arg]
    """An int in neuron (uint256), stored as zero-padded text: exact and sortable everywhere.

    SQLite turns wide integers and decimals into floats, so neither can hold an amount.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = _DIGITS
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, *_: Any) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        neuron = int(value)
        if not 0 <= neuron <= MAX_NEURON:
            raise ValidationError(f"{neuron} is not an amount of neuron.")
        return str(neuron).zfill(_DIGITS)


class AddressField(models.CharField):  # type: ignore[type-arg]
    """A checksummed EVM address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 42
        super().__init__(*args, **kwargs)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else checksum(str(value)) if value else ""
