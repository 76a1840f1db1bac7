"""Whatever the brokers return is a value that nobody can change by accident."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import zgcompute
from zgcompute import _public
from zgcompute.amounts import Neuron
from zgcompute.auto_funding import AutoFunding
from zgcompute.broker import Broker
from zgcompute.catalog import AsyncServices, Services
from zgcompute.inference import Inference
from zgcompute.ledger import AsyncLedgerAccess, LedgerAccess

PARTS = (Services, AsyncServices, LedgerAccess, AsyncLedgerAccess, Inference, AutoFunding)
STREAMS = {"AnswerStream", "AsyncAnswerStream"}  # being read is a change, and all that they are for


def public_dataclasses() -> list[type]:
    found = [getattr(_public, name) for name in _public.__all__]
    return [kind for kind in found if inspect.isclass(kind) and dataclasses.is_dataclass(kind)]


def returned(part: type) -> Iterator[tuple[str, Any]]:
    """Each public method with the types in what it returns."""
    names = {**vars(_public), **vars(zgcompute.attestation)}
    for name, method in inspect.getmembers(part, inspect.isfunction):
        if not name.startswith("_"):
            module = vars(importlib.import_module(part.__module__))
            hints = typing.get_type_hints(method, globalns={**names, **module})
            yield name, hints["return"]


def kinds_in(hint: Any) -> Iterator[Any]:
    inner = [part for part in typing.get_args(hint) if part not in (type(None), Ellipsis)]
    if not inner:
        yield hint
    for part in inner:
        yield from kinds_in(part)


@pytest.mark.parametrize("kind", public_dataclasses(), ids=lambda kind: kind.__name__)
def test_every_public_record_is_frozen(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen


def test_every_record_of_every_public_module_is_frozen() -> None:
    modules = [m.name for m in pkgutil.iter_modules(zgcompute.__path__) if m.name[0] != "_"]
    found = [
        kind
        for name in modules
        for kind in vars(importlib.import_module(f"zgcompute.{name}")).values()
        if dataclasses.is_dataclass(kind) and kind.__module__ == f"zgcompute.{name}"
    ]
    assert len(found) > 30
    assert [kind for kind in found if not kind.__dataclass_params__.frozen] == []


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_method_returns_frozen_values(part: type) -> None:
    asked = 0
    for name, hint in returned(part):
        for kind in kinds_in(hint):
            if kind in (type(None), Neuron) or kind.__name__ in STREAMS:
                continue
            asked += 1
            assert dataclasses.is_dataclass(kind), f"{name} returns {kind}"
            assert kind.__dataclass_params__.frozen, f"{name} returns {kind}"  # type: ignore[attr-defined]
    assert asked


def test_the_broker_takes_only_what_can_sign() -> None:
    with pytest.raises(zgcompute.ConfigurationError):
        Broker("testnet", signer="0x" + "11" * 32)
