"""What settlements paid for, in words, with every difference named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import FilteredRelation, Q

from accounts.models import Payment, Settlement
from accounts.settlements import Status
from marketplace.models import Service
from zgcompute.additional_info import AdditionalInfo
from zgcompute.amounts import exact

_REFUSALS = {
    Status.PROVIDER_MISMATCH: "it was not the provider's own",
    Status.NO_TEE_SIGNER: "the provider's signer is not acknowledged",
    Status.INVALID_NONCE: "it came out of order",
    Status.INVALID_SIGNATURE: "its signature was not the provider's signer's",
}
_REQUEST = ("request", "requests")
_NOUNS = {  # what one usage is, by the service type
    "chatbot": ("answer", "answers"),
    "text-to-image": ("order of pictures", "orders of pictures"),
    "image-editing": ("edit", "edits"),
    "speech-to-text": ("transcript", "transcripts"),
}


def explanation(settlement: Settlement, lowest: Mapping[str, int]) -> str:
    """What it paid for, in words, with every difference named; `lowest` as of `lowest_prices`."""
    if settlement.status not in (Status.SUCCESS, Status.PARTIAL):
        return _refused(settlement)
    sentences = [_paid(settlement, lowest)]
    elsewhere = settlement.amount - settlement.matched
    if elsewhere and settlement.matched and not overcharge(settlement, lowest):
        sentences.append(
            f"The other {exact(elsewhere)} 0G were not used here: for instance with an API key."
        )
    if settlement.status == Status.PARTIAL:
        sentences.append(
            f"The balance was exhausted; {exact(settlement.unsettled_amount)} 0G are still owed."
        )
    return " ".join(sentences)


def overcharge(settlement: Settlement, lowest: Mapping[str, int]) -> int:
    """Neuron that the provider took beyond the exact fees of the requests it settled.

    A request made elsewhere costs at least one unit at the provider's lowest price. What is left
    of a settlement that paid requests of ours, and is less than that, paid for no request at all.
    """
    surplus = settlement.amount - settlement.matched
    is_plain = settlement.status == Status.SUCCESS and settlement.matched
    return surplus if is_plain and 0 < surplus < lowest.get(settlement.provider, 0) else 0


def lowest_prices(rows: Iterable[Settlement]) -> dict[str, int]:
    """The lowest price above zero, in neuron, that each provider ever listed, by its address.

    Of the providers of `rows`, but for those that do not list the prices of all their models.
    """
    settled = {(row.network, row.provider) for row in rows if row.matched != row.amount}
    if not settled:
        return {}
    networks, providers = zip(*settled, strict=True)
    of_prices = Q(changes__field__in=("input_price", "output_price"))
    services = Service.objects.filter(network__in=networks, provider__in=providers)
    listed = services.annotate(former=FilteredRelation("changes", condition=of_prices))
    columns = ("provider", "additional_info", "input_price", "output_price", "former__before")
    found: dict[str, int] = {}
    for provider, info, *prices in listed.values_list(*columns):
        known = [int(price) for price in prices if price and int(price)]
        if known and not AdditionalInfo.parse(info).multi_model:
            found[provider] = min([*known, *filter(None, [found.get(provider)])])
    return found


def _paid(settlement: Settlement, lowest: Mapping[str, int]) -> str:
    settled = f"Settled {exact(settlement.amount)} 0G"
    payments = list(settlement.payments.all())
    if not payments:
        return f"{settled}: not used here, but for instance with an API key."
    partly = sum(payment.usage.settlement_id != settlement.pk for payment in payments)
    whole = _count(len(payments) - partly, payments)
    what = f"{whole} and a part of another" if partly and len(payments) > partly else whole
    if partly == len(payments):
        what = f"a part of {_count(1, payments)}"
    if settlement.matched == settlement.amount:
        return f"{settled}: exactly {what}."
    if surplus := overcharge(settlement, lowest):
        fees = "fees are" if len(payments) > 1 else "fee is"
        return (
            f"{settled} for {what}, whose exact {fees} {exact(settlement.matched)} 0G: "
            f"the provider charged {surplus} neuron more."
        )
    return f"{settled}: {exact(settlement.matched)} 0G of it for {what}."


def _count(number: int, payments: Sequence[Payment]) -> str:
    kinds = {payment.usage.kind for payment in payments}
    one, several = _NOUNS.get(kinds.pop(), _REQUEST) if len(kinds) == 1 else _REQUEST
    return f"your {number} {several}" if number != 1 else f"your {one}"


def _refused(settlement: Settlement) -> str:
    known = settlement.status in _REFUSALS
    reason = _REFUSALS[Status(settlement.status)] if known else "for a reason not known here"
    return (
        f"The contract refused this settlement: {reason}. Nothing was taken; "
        f"{exact(settlement.unsettled_amount)} 0G are still owed."
    )
