"""What was started in the virtual machine? Event log, compose file, measured values (pure)."""

from __future__ import annotations

import hashlib

from zgcompute.attestation.quotes import TdQuote
from zgcompute.attestation.reports import Event, Report
from zgcompute.attestation.verdicts import Check, Question

REPLAY = Question(
    "rtmr-replay",
    "The event log adds up to the measured registers",
    "The hardware keeps only a running hash. The log is what was really measured only if it "
    "leads to exactly that hash.",
)
EVENTS = Question(
    "event-digests",
    "Every run-time event says what was measured",
    "The registers bind the digests; the names and values beside them count only if they give "
    "those digests.",
)
COMPOSE = Question(
    "compose-hash",
    "The compose file is the one that was measured",
    "It lists the containers that run inside. If it is another file, you cannot know what runs.",
)
CONFIG_ID = Question(
    "config-id",
    "The virtual machine was created for that compose file",
    "The configuration identity is fixed when the machine is created; software inside it cannot "
    "change it later.",
)
VALUES = Question(
    "measurements",
    "The values listed in the report are those of the quote",
    "People compare the listed values with known good ones. Only the quote's are signed.",
)
AGGREGATED = Question(
    "mr-aggregated",
    "The aggregated measurement is the hash of the quote's values",
    "It is the short name under which this software is looked up elsewhere.",
    required=False,
)
OS_IMAGE = Question(
    "os-image",
    "The operating system image is named the same everywhere",
    "That image is what has to be reproduced to know the whole software of the machine.",
    required=False,
)
OS_KNOWN = Question(
    "os-published",
    "The operating system is a published build",
    "Whoever owns such hardware can start a system of their own in it, and that system may log "
    "whatever it likes. Only a published one makes the log above mean what it says.",
    required=False,
)


def check_replay(report: Report, quote: TdQuote) -> Check:
    """Replay the log: each register starts at zero and takes sha384(register || digest)."""
    if report.events is None:
        return REPLAY.failed(report.events_problem)
    registers = [bytes(48)] * 4
    for event in report.events:
        registers[event.imr] = hashlib.sha384(registers[event.imr] + event.digest).digest()
    wrong = [f"RTMR{n}" for n in range(4) if registers[n] != quote.rtmrs[n]]
    expected = _listed(quote.rtmrs)
    if wrong:
        reason = f"The event log leads to another value of {', '.join(wrong)} than the quote has."
        return REPLAY.failed(reason, expected=expected, found=_listed(registers))
    return REPLAY.passed(expected=expected, found=_listed(registers))


def check_events(report: Report, quote: TdQuote) -> Check:
    """Recompute each digest of register 3: sha384(LE32(type) ":" name ":" payload)."""
    if report.events is None:
        return EVENTS.failed(report.events_problem)
    run_time = [event for event in report.events if event.imr == 3]
    for event in run_time:
        digest = _digest(event)
        if digest != event.digest:
            reason = f"The event {event.name[:60]!r} does not give its digest."
            return EVENTS.failed(reason, expected=event.digest.hex(), found=digest.hex())
    if not run_time:
        return EVENTS.unchecked("The event log has no run-time events.")
    return EVENTS.passed(found=f"{len(run_time)} events")


def check_compose(report: Report, quote: TdQuote) -> Check:
    """Compare sha256 of the app_compose string, as received, with the compose-hash event."""
    if report.app_compose is None:
        return COMPOSE.unchecked("The report does not show its compose file.")
    measured = _payloads(report, "compose-hash")
    found = hashlib.sha256(report.app_compose.encode("utf-8", "surrogatepass")).hexdigest()
    if len(measured) != 1:
        reason = f"The event log has {len(measured)} compose-hash events instead of one."
        return COMPOSE.failed(reason, found=found)
    return COMPOSE.equal(
        expected=measured[0].hex(),
        found=found,
        otherwise="The compose file shown is not the one that was measured.",
    )


def check_config_id(report: Report, quote: TdQuote) -> Check:
    """Compare the compose-hash event with bytes 1..33 of the quote's mr_config_id."""
    if not any(quote.mr_config_id):
        return CONFIG_ID.unchecked("The virtual machine was created without such an identity.")
    measured = _payloads(report, "compose-hash")
    if len(measured) != 1:
        reason = f"The event log has {len(measured)} compose-hash events instead of one."
        return CONFIG_ID.failed(reason, expected=quote.mr_config_id.hex())
    return CONFIG_ID.equal(
        expected=quote.mr_config_id.hex(),
        found=(b"\x01" + measured[0][:47]).ljust(48, b"\0").hex(),
        otherwise="The virtual machine was created for another compose file.",
    )


def check_values(report: Report, quote: TdQuote) -> Check:
    """Compare the report's mrtd and rtmr0-3 with the quote's."""
    listed = report.measurements
    signed = {"mrtd": quote.mrtd} | {f"rtmr{n}": quote.rtmrs[n] for n in range(4)}
    if not all(listed[name] for name in signed):
        return VALUES.unchecked("The report does not list its measured values.")
    wrong = [name for name, value in signed.items() if listed[name] != value.hex()]
    expected, found = _listed(signed.values()), "\n".join(listed[name] for name in signed)
    if wrong:
        reason = f"The report lists other values than the quote for {', '.join(wrong)}."
        return VALUES.failed(reason, expected=expected, found=found)
    return VALUES.passed(expected=expected, found=found)


def check_aggregated(report: Report, quote: TdQuote) -> Check:
    """Compare mr_aggregated with sha256 of mrtd, rtmr0-3 and, where set, identity and owners."""
    claimed = report.measurements["mr_aggregated"]
    if not claimed:
        return AGGREGATED.unchecked("The report names no aggregated measurement.")
    identity = quote.mr_config_id + quote.mr_owner + quote.mr_owner_config
    values = quote.mrtd + b"".join(quote.rtmrs) + (identity if any(identity) else b"")
    return AGGREGATED.equal(
        expected=hashlib.sha256(values).hexdigest(),
        found=claimed,
        otherwise="The aggregated measurement is not that of the quote.",
    )


def check_os_image(report: Report, quote: TdQuote) -> Check:
    """Compare the measured os-image-hash event with the hashes that the report states."""
    measured = _payloads(report, "os-image-hash")
    if len(measured) > 1:
        return OS_IMAGE.failed("The event log names the operating system image twice.")
    if not measured or not report.os_image_hashes:
        return OS_IMAGE.unchecked("The report does not name its operating system image.")
    expected = measured[0].hex()
    for where, claimed in report.os_image_hashes.items():
        if claimed != expected:
            reason = f"{where} names another image than the one measured."
            return OS_IMAGE.failed(reason, expected=expected, found=claimed)
    return OS_IMAGE.passed(expected=expected, found=expected)


def check_os_known(report: Report, quote: TdQuote) -> Check:
    """Name what has to be compared by hand: no list of published builds is at hand here."""
    found = f"MRTD {quote.mrtd.hex()}\n" + "\n".join(
        f"RTMR{n} {quote.rtmrs[n].hex()}" for n in range(3)
    )
    reason = "This is left to you: dstack-verifier rebuilds these values from the published image."
    return OS_KNOWN.unchecked(reason, found=found)


def _payloads(report: Report, name: str) -> list[bytes]:
    events = report.events or ()
    return [event.payload for event in events if event.imr == 3 and event.name == name]


def _digest(event: Event) -> bytes:
    name = event.name.encode("utf-8", "surrogatepass")
    kind = event.kind.to_bytes(4, "little")
    return hashlib.sha384(kind + b":" + name + b":" + event.payload).digest()


def _listed(values: object) -> str:
    return "\n".join(value.hex() for value in values)  # type: ignore[attr-defined]
