"""The compiled contracts have exactly the documented interface, and the SDK ships the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ("LedgerManager", "InferenceServing")
SDK_ABI = {"LedgerManager": "ledger", "InferenceServing": "inference"}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_contract_has_every_documented_signature_and_no_other(contract: str) -> None:
    assert set(_signatures(_artifact(contract)["abi"])) == set(_documented(contract))


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_sdk_ships_exactly_the_documented_signatures(contract: str) -> None:
    abi = json.loads((ROOT / f"zgcompute/_abi/{SDK_ABI[contract]}.json").read_text())
    assert sorted(_signatures(abi)) == sorted(_documented(contract))


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_artifact_was_built_from_the_sources_beside_it(contract: str) -> None:
    sources = sorted((ROOT / "devnet/contracts").glob("*.sol"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    assert _artifact(contract)["sourcesSha256"] == digest, "run bin/build-contracts"


def _artifact(contract: str) -> dict[str, Any]:
    artifact: dict[str, Any] = json.loads(
        (ROOT / f"devnet/artifacts/{contract}.json").read_text("utf-8")
    )
    return artifact


def _documented(contract: str) -> list[str]:
    text = (ROOT / "tests/vectors/contract_interface.txt").read_text("utf-8")
    section = text.split(f"[{contract}]\n")[1].split("\n\n")[0]
    return section.strip().splitlines()


def _signatures(abi: Iterable[dict[str, Any]]) -> list[str]:
    return [_line(entry) for entry in abi if entry["type"] in ("function", "event", "error")]


def _line(entry: dict[str, Any]) -> str:
    line = f"{entry['type']} {entry['name']}({_list(entry['inputs'])})"
    if entry["type"] == "function":
        line += f" {entry['stateMutability']}"
        line += f" returns ({_list(entry['outputs'])})" if entry["outputs"] else ""
    return line


def _list(parameters: Iterable[dict[str, Any]]) -> str:
    return ", ".join(_parameter(parameter) for parameter in parameters)


def _parameter(parameter: dict[str, Any]) -> str:
    kind = parameter["type"]
    if kind.startswith("tuple"):
        kind = f"({_list(parameter['components'])}){kind.removeprefix('tuple')}"
    words = [kind, "indexed" if parameter.get("indexed") else "", parameter["name"]]
    return " ".join(word for word in words if word)
