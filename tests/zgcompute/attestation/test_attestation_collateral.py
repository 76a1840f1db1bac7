"""Asking Intel: whatever happens there, there is an answer in words and in time."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.zgcompute.attestation.workshop import SAMPLES
from zgcompute.attestation.collateral import CollateralUnavailable, fetch_collateral


def test_a_quote_that_names_no_platform_is_not_answered() -> None:
    with pytest.raises(CollateralUnavailable, match="cannot be reached"):
        fetch_collateral(b"\x04\0" + bytes(700), source="http://127.0.0.1:9")


def test_a_service_that_never_answers_is_given_up() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("the genuine reports are not at hand")
    report = json.loads((SAMPLES / "broker_attestation_report.json").read_text())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(CollateralUnavailable, match="in time"):
            fetch_collateral(bytes.fromhex(report["quote"]), source=source, timeout=2)
        assert time.monotonic() - began < 5


def test_a_service_that_is_away_is_said_to_be() -> None:
    if not SAMPLES.is_dir():
        pytest.skip("the genuine reports are not at hand")
    report = json.loads((SAMPLES / "broker_attestation_report.json").read_text())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        source = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for _ in range(3):  # the client's threads used to end the process at random
        with pytest.raises(CollateralUnavailable, match="cannot be reached"):
            fetch_collateral(bytes.fromhex(report["quote"]), source=source)
