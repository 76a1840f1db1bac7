"""Where the chain departed from what was read: the hashes of blocks, kept and compared.

Kept are the blocks at the ends of read ranges, every block near the head as the sweeps met it
(`is_followed`), and those at which balances were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import models

from zgcompute.chain import Chain
from zgcompute.errors import RpcUnreachable
from zgcompute.networks import Network
from zgcompute.types import Block

NEAR_HEAD = 256  # blocks below the head whose hashes are all kept
KEPT = 2 * NEAR_HEAD
LAG = 128  # blocks that one node of a public network may be behind another
NOTHING = -1  # the last common block where there is none


class ReadBlock(models.Model):
    """A block that something here rests on."""

    network = models.SlugField(max_length=31)
    number = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=66)
    is_followed = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network", "number"], name="one_hash_per_block")
        ]

    def __str__(self) -> str:
        return f"block {self.number} of {self.network}"


def remember(network: str, number: int, block_hash: str) -> None:
    """Keep the hash of a block at which something was read; one that is kept already stays."""
    if block_hash:
        _keep(network, {number: block_hash}, is_followed=False)


def contradicts(network: str, number: int, block_hash: str) -> bool:
    """Tell whether that block is known with another hash: one of the two was replaced."""
    known = ReadBlock.objects.filter(network=network, number=number)
    return bool(block_hash) and known.exclude(hash=block_hash).exists()


def last_common(chain: Chain, network: Network, head: Block) -> int | None:
    """Follow the chain up to `head`; where it replaced a kept block, return the last that stayed.

    None where nothing was replaced, or where the node that answers is just behind the others.
    """
    known = ReadBlock.objects.filter(network=network.slug).order_by("number")
    top = known.filter(is_followed=True).last()
    if top is None:
        _keep(network.slug, {head.number: head.hash}, is_followed=True)
        return None
    if head.number < top.number:
        is_behind = not network.local and top.number - head.number <= LAG
        return None if is_behind else _search(chain, known, head)
    new = range(max(top.number + 1, head.number - NEAR_HEAD + 1), head.number + 1)
    found = chain.blocks([top.number, *new])
    if top.number not in found:
        return None
    kept = known.filter(number__gte=top.number)
    if any(row.number in found and found[row.number].hash != row.hash for row in kept):
        return _search(chain, known, head)
    _keep(network.slug, dict(_linked(found, new)), is_followed=True)
    return None


def forget_above(network: str, number: int) -> None:
    """Drop the hashes of replaced blocks."""
    ReadBlock.objects.filter(network=network, number__gt=number).delete()


def keep_end(network: str, block: Block) -> None:
    """Keep the block at the end of a range that was read."""
    _keep(network, {block.number: block.hash}, is_followed=True)


def _search(chain: Chain, known: Iterable[ReadBlock], head: Block) -> int:
    """The highest kept block below the first that the chain shows otherwise, or not at all."""
    rows = list(known)
    asked = [row.number for row in rows if row.number <= head.number]
    found = chain.blocks(asked)
    if len(found) < len(asked):
        raise RpcUnreachable("An RPC node does not show all blocks below its latest.")
    common = NOTHING
    for row in rows:
        if row.number not in found or found[row.number].hash != row.hash:
            break
        common = row.number
    return common


def _linked(found: Mapping[int, Block], numbers: Iterable[int]) -> Iterable[tuple[int, str]]:
    """The blocks that hang together; nodes may disagree while the chain is being replaced."""
    for number in numbers:
        block, parent = found.get(number), found.get(number - 1)
        if block is None or (parent is not None and parent.hash != block.parent_hash):
            return
        yield number, block.hash


def _keep(network: str, hashes: Mapping[int, str], *, is_followed: bool) -> None:
    rows = [
        ReadBlock(network=network, number=number, hash=text, is_followed=is_followed)
        for number, text in hashes.items()
    ]
    ReadBlock.objects.bulk_create(rows, ignore_conflicts=True)
    if is_followed:
        known = ReadBlock.objects.filter(network=network)
        known.filter(number__in=hashes).update(is_followed=True)
        oldest_kept = known.order_by("-number").values_list("number", flat=True)[KEPT : KEPT + 1]
        for number in oldest_kept:
            known.filter(number__lte=number).delete()
