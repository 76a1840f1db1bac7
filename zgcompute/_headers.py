"""Block headers, and the block that brought a contract."""

from __future__ import annotations

from collections.abc import Sequence

from zgcompute import _replies
from zgcompute._rpc import Request, Rpc, quantity
from zgcompute._views import no_contract
from zgcompute.types import Address, Block

_PROBES = 15  # blocks asked at once while searching: a chain of 2^32 blocks takes 8 POSTs


def blocks(rpc: Rpc, numbers: Sequence[int]) -> dict[int, Block]:
    """Return the headers of those blocks that are there, in one batch."""
    asked = list(dict.fromkeys(numbers))
    answers = rpc.results([Request("eth_getBlockByNumber", (hex(n), False)) for n in asked])
    return {
        number: _replies.block(answer)
        for number, answer in zip(asked, answers, strict=True)
        if answer is not None
    }


def deployment_block(rpc: Rpc, contract: Address) -> int:
    """Return the first block with code at `contract`; raises ChainError where there is none."""
    absent, present = -1, quantity(rpc.call("eth_blockNumber"))
    if not _have_code(rpc, contract, [present])[0]:
        raise no_contract(rpc.network, contract)
    while present - absent > 1:
        step = max(1, (present - absent) // (_PROBES + 1))
        probes = list(range(absent + step, present, step))[:_PROBES]
        found = _have_code(rpc, contract, probes)
        later = [probe for probe, has_code in zip(probes, found, strict=True) if has_code]
        earlier = [probe for probe, has_code in zip(probes, found, strict=True) if not has_code]
        present, absent = min([present, *later]), max([absent, *earlier])
    return present


def _have_code(rpc: Rpc, contract: Address, numbers: Sequence[int]) -> list[bool]:
    requests = [Request("eth_getCode", (contract, hex(number))) for number in numbers]
    return [bool(_replies.data(answer)) for answer in rpc.results(requests)]
