"""Which slots of API keys this machine has issued, so that no two keys share one.

A key lives in one of 255 slots (token ids, PROTOCOL §1.3), and revoking a slot revokes every key in
it. The chain knows which are revoked, nobody knows which are issued: keys.json notes ours. The keys
themselves are not in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zgcompute.cli.folder import folder, locked, read_object, write_object

if TYPE_CHECKING:
    from zgcompute.session import SessionToken
    from zgcompute.types import SubAccount

FILE = "keys.json"
SLOTS = 255  # token ids 0..254; 255 is the session
RECLAIMED_AFTER_MS = 86_400_000  # after its expiry, whatever a provider's clock says


@dataclass(frozen=True, slots=True)
class Place:
    """Where slots are counted: one contract, one wallet, one provider."""

    chain_id: int
    contract: str
    user: str
    provider: str

    @classmethod
    def of(cls, account: SubAccount, chain_id: int, contract: str) -> Place:
        return cls(chain_id, contract, account.user, account.provider)


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was issued in a slot; `expires_at_ms` 0 means never."""

    slot: int
    generation: int
    issued_at_ms: int
    expires_at_ms: int

    @property
    def is_over(self) -> bool:
        """Whether it expired so long ago that no provider's clock takes it any more."""
        now = time.time_ns() // 1_000_000
        return 0 < self.expires_at_ms < now - RECLAIMED_AFTER_MS


def take(place: Place, account: SubAccount, wanted: int | None) -> int:
    """Note a slot as taken and return it: `wanted`, or the highest free one.

    The site and the official client begin at the lowest. Raises InvalidToken where it is taken.
    """
    with locked(FILE):
        issued = _present(place, account)
        slot = _highest_free(account, issued) if wanted is None else wanted
        _require_free(slot, account, issued)
        now = time.time_ns() // 1_000_000
        _keep(place, [*issued, Issued(slot, account.generation, now, 0)])
    return slot


def note_key(place: Place, account: SubAccount, token: SessionToken) -> None:
    """Note when the key in a taken slot ends, which frees it in time."""
    key = Issued(token.token_id, token.generation, token.issued_at_ms, token.expires_at_ms)
    with locked(FILE):
        others = [one for one in _present(place, account) if one.slot != key.slot]
        _keep(place, [*others, key])


def issued_slots(place: Place, account: SubAccount) -> list[int]:
    """The slots of keys that were issued here and are not revoked, in order."""
    found = (one.slot for one in _present(place, account))
    return sorted(slot for slot in found if not account.is_revoked(slot))


def give_back(place: Place, account: SubAccount, slot: int) -> None:
    """Forget a taken slot whose key was never made."""
    with locked(FILE):
        _keep(place, [one for one in _present(place, account) if one.slot != slot])


def _require_free(slot: int, account: SubAccount, issued: list[Issued]) -> None:
    from zgcompute.errors import InvalidToken

    if account.is_revoked(slot):
        raise InvalidToken(
            f"Slot {slot} is revoked: a provider refuses every key in it.",
            advice="Choose another slot, or none.",
        )
    if any(one.slot == slot for one in issued):
        raise InvalidToken(
            f"Slot {slot} has a key already: what revokes the one would revoke the other.",
            advice="Choose another slot, or none.",
        )


def _highest_free(account: SubAccount, issued: list[Issued]) -> int:
    from zgcompute.errors import InvalidToken

    taken = {one.slot for one in issued}
    for slot in reversed(range(SLOTS)):
        if slot not in taken and not account.is_revoked(slot):
            return slot
    raise InvalidToken(
        f"All {SLOTS} slots of this provider are taken.",
        advice="Revoke all keys: inference revoke-all-tokens frees every slot.",
    )


def _present(place: Place, account: SubAccount) -> list[Issued]:
    """The keys of the present generation that may still be used: those that share its slots."""
    found = (_issued(row) for row in _rows() if _is_of(row, place))
    return [one for one in found if one.generation == account.generation and not one.is_over]


def _keep(place: Place, issued: list[Issued]) -> None:
    others = [row for row in _rows() if not _is_of(row, place)]
    own = [asdict(place) | asdict(one) for one in issued]
    write_object(FILE, {"issued": others + own})


def _rows() -> list[Mapping[str, Any]]:
    content = read_object(folder() / FILE)
    rows = [] if content is None else content.get("issued")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _damaged()
    return rows


def _is_of(row: Mapping[str, Any], place: Place) -> bool:
    return all(row.get(name) == value for name, value in asdict(place).items())


def _issued(row: Mapping[str, Any]) -> Issued:
    names = ("slot", "generation", "issued_at_ms", "expires_at_ms")
    values = [row.get(name) for name in names]
    if not all(isinstance(value, int) for value in values):
        raise _damaged()
    return Issued(*values)  # type: ignore[arg-type]  # just checked


def _damaged() -> Exception:
    from zgcompute.errors import ConfigurationError

    return ConfigurationError(
        f"{folder() / FILE} does not say which slots are taken.",
        advice="Put back a copy of it. If there is none, revoke all keys, then delete it.",
    )
