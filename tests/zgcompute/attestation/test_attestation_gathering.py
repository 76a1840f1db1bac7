"""Fetching reports: whatever a provider does, there is a verdict and no foreign error."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.zgcompute.attestation.workshop import (
    BROKER,
    MODEL_SERVER,
    NOW,
    devnet_reports,
    failed,
    named,
    profile,
    service_of,
    sign_like_intel,
)
from zgcompute.attestation import CheckVerdict, Overall, ProviderVerdict, verify_provider
from zgcompute.attestation.collateral import CollateralUnavailable
from zgcompute.errors import (
    DestinationRefused,
    MalformedReply,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    ReplyTooLarge,
)
from zgcompute.types import Service


class Source:
    """A provider whose reports, or errors, are given."""

    def __init__(self, broker: bytes | Exception, model_server: bytes | Exception) -> None:
        self.service: Service = service_of(profile("cumulus"))
        self._broker, self._model_server = broker, model_server
        self.models: list[str] = []

    def quote(self) -> bytes:
        return _given(self._broker)

    def attestation_report(self, model: str) -> bytes:
        self.models.append(model)
        return _given(self._model_server)


def _given(value: bytes | Exception) -> bytes:
    if isinstance(value, Exception):
        raise value
    return value


def bodies() -> tuple[bytes, bytes]:
    reports = devnet_reports()
    return json.dumps(reports[BROKER]).encode(), json.dumps(reports[MODEL_SERVER]).encode()


def never(quote: bytes) -> str:
    raise AssertionError("Intel was asked about a quote that no hardware signed")


def verify(source: Source, fetch: Callable[[bytes], str] = never) -> ProviderVerdict:
    return verify_provider(source, fetch=fetch, now=lambda: NOW)


def test_intel_is_not_asked_about_a_quote_without_a_genuine_signature() -> None:
    source = Source(*bodies())
    verdict = verify(source)
    assert verdict.overall is Overall.FAILED
    assert source.models == [source.service.model]


def test_nor_about_one_that_ends_in_another_root() -> None:
    report = devnet_reports()[BROKER]
    sign_like_intel(report)
    verdict = verify(Source(json.dumps(report).encode(), bodies()[1]))
    assert "broker: certificate-chain" in failed(verdict)


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnreachable("no connection"),
        ProviderTimeout("too slow"),
        DestinationRefused("a private address"),
        ProviderRefused("not here", status=501),
    ],
)
def test_a_report_that_cannot_be_had_could_not_be_checked(error: Exception) -> None:
    verdict = verify(Source(error, error))
    assert verdict.overall is Overall.UNCHECKED
    (report,) = [check for check in verdict.checks if check.name == "broker: report"]
    assert (report.verdict, report.reason) == (CheckVerdict.UNCHECKED, str(error))


@pytest.mark.parametrize("error", [ReplyTooLarge("50 MB"), MalformedReply("compressed")])
def test_a_reply_against_the_rules_fails(error: Exception) -> None:
    assert failed(verify(Source(error, bodies()[1]))) >= {"broker: report"}


def test_the_steps_are_told_as_they_happen() -> None:
    steps: list[tuple[str, set[str]]] = []
    verify_provider(
        Source(*bodies()),
        fetch=None,
        progress=lambda step, checks: steps.append((step, {check.subject for check in checks})),
    )
    assert steps == [
        ("Fetching the report of the broker", {"contract"}),
        ("Fetching the report of the model server", {"contract", BROKER}),
    ]


def test_intels_silence_leaves_its_check_open() -> None:
    from tests.zgcompute.attestation.test_attestation import genuine_world

    world = genuine_world()
    source = Source(*(json.dumps(body).encode() for body in world.reports.values()))
    source.service = world.service

    def silent(quote: bytes) -> str:
        raise CollateralUnavailable("Intel's service did not answer in time.")

    verdict = verify(source, silent)
    assert verdict.overall is Overall.VERIFIED
    (tcb, _) = [check for check in verdict.checks if check.key == "tcb-status"]
    assert (tcb.verdict, tcb.reason) == (
        CheckVerdict.UNCHECKED,
        "Intel's service did not answer in time.",
    )


@pytest.mark.parametrize("lists", ["{}", "x", "null", '{"tcb_info": "{}"}'])
def test_lists_that_do_not_confirm_the_quote_fail(lists: str) -> None:
    from tests.zgcompute.attestation.test_attestation import genuine_world

    world = genuine_world()
    source = Source(*(json.dumps(body).encode() for body in world.reports.values()))
    source.service = world.service
    verdict = verify(source, lambda quote: lists)
    assert failed(verdict) == {"broker: tcb-status", "model server: tcb-status"}
    assert verdict.overall is Overall.FAILED
    assert "broker: freshness" in named(verdict, CheckVerdict.UNCHECKED)
