"""Reading an attestation report: the shapes of PROTOCOL §7, everything else refused (pure).

Reports nest JSON in strings, and parts sit in different places in different builds. Whatever is
missing stays empty; what is there is only a claim until a check ties it to the quote.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from zgcompute import _reading as read
from zgcompute.errors import VerificationError

MAX_REPORT = 8 << 20  # bytes
MAX_EVENTS = 4000
MAX_PARTS = 50_000  # objects and lists; genuine reports have a few hundred
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)


class ReportUnreadable(VerificationError):
    """The bytes are no report at all."""


class FormatUnknown(VerificationError):
    """The bytes are a report, or might be one, of a kind that is not understood here."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the event log: something measured into register `imr`."""

    imr: int
    kind: int
    digest: bytes
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """A dstack report, of a broker or of a model server; texts are "" where there are none.

    `events` is None if the log is missing or malformed, `report_data` if the field is.
    """

    quote: bytes
    events: tuple[Event, ...] | None
    events_problem: str
    report_data: bytes | None
    app_compose: str | None
    measurements: dict[str, str]
    os_image_hashes: dict[str, str]
    signing_address: str
    request_nonce: str
    gpu_nonce: str
    other_nodes: int


def read_report(body: bytes) -> Report:
    """Read a report as the provider sent it; raises ReportUnreadable or FormatUnknown."""
    keys = _report_object(body)
    if "evidence" in keys and "quote" not in keys:
        raise FormatUnknown(
            "The report is in the cryptopilot format, which is not understood here."
        )
    quotes = {read.text(keys.get(name), limit=200_000) for name in ("quote", "intel_quote")} - {""}
    if not quotes or "event_log" not in keys:
        raise FormatUnknown("The report is in a format that is not understood here.")
    if len(quotes) > 1:
        raise ReportUnreadable("The report carries two different quotes.")
    quote = from_hex(quotes.pop().removeprefix("0x"))
    if quote is None:
        raise ReportUnreadable("The report's quote is not hexadecimal.")
    return _report(keys, quote)


def from_hex(text: object) -> bytes | None:
    """Return the bytes of a hexadecimal text, or None for anything else."""
    is_hex = isinstance(text, str) and _HEX.fullmatch(text)
    return bytes.fromhex(text) if is_hex else None  # type: ignore[arg-type]


def _report_object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_REPORT:
        raise ReportUnreadable(f"The report has {len(body)} bytes; at most {MAX_REPORT} are read.")
    if body.count(b"[") + body.count(b"{") > MAX_PARTS:
        raise ReportUnreadable("The report has more parts than any real one.")
    value = _nested(body)
    value = _nested(value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        looks = "a web page" if body.lstrip()[:1] == b"<" else "something else than JSON"
        raise ReportUnreadable(f"The provider sent {looks} instead of a report.")
    return value


def _report(keys: dict[str, Any], quote: bytes) -> Report:
    info = read.mapping(keys.get("info"))
    tcb_info = read.mapping(_nested(keys.get("tcb_info"))) or read.mapping(
        _nested(info.get("tcb_info"))
    )
    vm_config = read.mapping(_nested(keys.get("vm_config")))
    events, problem = _events(_nested(keys.get("event_log")))
    compose = tcb_info.get("app_compose")
    gpu = read.mapping(_nested(keys.get("nvidia_payload")))
    names = ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mr_aggregated")
    return Report(
        quote=quote,
        events=events,
        events_problem=problem,
        report_data=_from_base64(keys.get("report_data")),
        app_compose=compose if isinstance(compose, str) else None,
        measurements={name: read.text(tcb_info.get(name)).lower() for name in names},
        os_image_hashes={
            where: read.text(part.get("os_image_hash")).lower()
            for where, part in (("tcb_info", tcb_info), ("vm_config", vm_config), ("info", info))
            if part.get("os_image_hash")
        },
        signing_address=read.text(keys.get("signing_address")),
        request_nonce=read.text(keys.get("request_nonce")).lower(),
        gpu_nonce=read.text(gpu.get("nonce")).lower(),
        other_nodes=_other_nodes(keys.get("all_attestations"), quote),
    )


def _nested(value: object) -> object:
    """Return the JSON in a text; what is parsed already as it is; None if it is not JSON."""
    if not isinstance(value, str | bytes):
        return value
    if isinstance(value, str) and value.count("[") + value.count("{") > MAX_PARTS:
        return None
    try:
        return read.loads(value)
    except (ValueError, RecursionError):
        return None


def _events(value: object) -> tuple[tuple[Event, ...] | None, str]:
    if not isinstance(value, list) or not value:
        return None, "The report has no event log."
    if len(value) > MAX_EVENTS:
        return None, f"The event log has {len(value)} entries; at most {MAX_EVENTS} are read."
    events = tuple(_event(read.mapping(entry)) for entry in value)
    known = tuple(event for event in events if event is not None)
    if len(known) != len(events):
        return None, f"Entry {events.index(None) + 1} of the event log is malformed."
    return known, ""


def _event(keys: dict[str, Any]) -> Event | None:
    imr, kind = read.count(keys.get("imr")), read.count(keys.get("event_type"))
    digest, payload = from_hex(keys.get("digest")), from_hex(keys.get("event_payload"))
    name = keys.get("event")
    if imr is None or kind is None or digest is None or payload is None:
        return None
    if imr > 3 or kind >= 1 << 32 or len(digest) != 48 or not isinstance(name, str):
        return None
    return Event(imr, kind, digest, name, payload)


def _from_base64(value: object) -> bytes | None:
    if not isinstance(value, str) or len(value) > 1000:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _other_nodes(value: object, quote: bytes) -> int:
    """How many records of further nodes there are, which other quotes stand for."""
    quotes = [read.mapping(entry).get("quote") for entry in read.items(value)]
    return sum(from_hex(other) != quote for other in quotes)
