"""Reading an Intel TDX quote, version 4 or 5: bounded, every offset checked (pure).

Layout (little-endian): a header of 48 bytes, in version 5 the kind and size of the body, the
TD report, then the length of the signature section and that section. What follows it is padding.
"""

from __future__ import annotations

from dataclasses import dataclass

from zgcompute.errors import QuoteInvalid

MAX_QUOTE = 65_536  # bytes; genuine ones have about 5,000
_HEADER = 48
_TEE_TDX = 0x81
_KEY_ECDSA_P256 = 2
_TD_REPORT_SIZE = {2: 584, 3: 648}  # by kind of body: TDX 1.0 and 1.5


@dataclass(frozen=True, slots=True)
class TdQuote:
    """The parts of a quote that the checks ask about.

    `signed` is what the attestation key signs, `signature_section` what follows it.
    """

    version: int
    qe_vendor: bytes
    seam_signer: bytes
    seam_attributes: bytes
    td_attributes: bytes
    mrtd: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmrs: tuple[bytes, bytes, bytes, bytes]
    report_data: bytes
    signed: bytes
    signature_section: bytes


class Cursor:
    """Reads `data` from the front; asking for more than there is raises QuoteInvalid."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        end = self.offset + size
        if end > len(self.data):
            missing = end - len(self.data)
            raise QuoteInvalid(f"The quote ends too early: {missing} bytes are missing.")
        part = self.data[self.offset : end]
        self.offset = end
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    @property
    def rest(self) -> bytes:
        return self.data[self.offset :]


def parse_quote(data: bytes) -> TdQuote:
    """Read a TDX quote; raises QuoteInvalid for anything else, however it is malformed."""
    if len(data) > MAX_QUOTE:
        raise QuoteInvalid(f"The quote has {len(data)} bytes, more than any real one.")
    cursor = Cursor(data)
    version, key_kind, tee = cursor.number(2), cursor.number(2), cursor.number(4)
    if version not in (4, 5):
        raise QuoteInvalid(f"The quote has version {version}; 4 and 5 are known here.")
    if key_kind != _KEY_ECDSA_P256:
        raise QuoteInvalid(f"The quote's key is of kind {key_kind}; 2 (ECDSA P-256) is known here.")
    if tee != _TEE_TDX:
        raise QuoteInvalid("The quote is not of a TDX virtual machine.")
    cursor.take(4)
    vendor = cursor.take(16)
    cursor.take(_HEADER - cursor.offset)
    report = Cursor(cursor.take(_body_size(cursor) if version == 5 else _TD_REPORT_SIZE[2]))
    signed = data[: cursor.offset]
    return _quote(version, vendor, report, signed, cursor.take(cursor.number(4)))


def _body_size(cursor: Cursor) -> int:
    kind, size = cursor.number(2), cursor.number(4)
    if _TD_REPORT_SIZE.get(kind) != size:
        raise QuoteInvalid(f"The quote's body is of kind {kind} with {size} bytes: not known here.")
    return size


def _quote(
    version: int, vendor: bytes, report: Cursor, signed: bytes, signature_section: bytes
) -> TdQuote:
    report.take(16 + 48)  # security versions and measurement of the TDX module
    return TdQuote(
        version=version,
        qe_vendor=vendor,
        seam_signer=report.take(48),
        seam_attributes=report.take(8),
        td_attributes=report.take(8),
        mrtd=(report.take(8), report.take(48))[1],  # after the enabled CPU features
        mr_config_id=report.take(48),
        mr_owner=report.take(48),
        mr_owner_config=report.take(48),
        rtmrs=(report.take(48), report.take(48), report.take(48), report.take(48)),
        report_data=report.take(64),
        signed=signed,
        signature_section=signature_section,
    )
