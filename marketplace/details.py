"""What the provider page shows beyond the catalog's entry: the whole record, made readable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from marketplace import history, model_names, prices
from marketplace.models import Service
from marketplace.offers import Offer, offers
from zgcompute.fees import Fee
from zgcompute.networks import Network

MAX_SHOWN = 8_000  # characters of additional information


@dataclass(frozen=True, slots=True)
class Details:
    """A provider's page, ready to print."""

    base_url: str
    url_is_link: bool
    additional_info: str
    signer: str
    has_own_signer: bool
    explorer: str
    signer_explorer: str
    example: str
    example_fee: Fee | None
    offers: list[Offer]
    has_several: bool
    changes: list[history.Line]
    model_url: str

    @property
    def listed_at(self) -> datetime | None:
        return next((offer.row.read_at for offer in self.offers if offer.row), None)

    @property
    def example_decimals(self) -> int:
        fee = self.example_fee
        shown = [fee.total, *(line.amount for line in fee.lines)] if fee else []
        return prices.exact_decimals(shown)


def details(service: Service, network: Network) -> Details:
    """Return what is known of `service`, in the form its page needs."""
    listed = service.as_listed
    example, fee = prices.example(listed) or ("", None)
    return Details(
        base_url="" if service.url_problem else listed.proxy_url,
        url_is_link=not service.url_problem and listed.url.startswith("https://"),
        additional_info=readable(service.additional_info),
        signer=listed.expected_signer,
        has_own_signer=bool(listed.info.separate_signer),
        explorer=network.address_url(service.provider),
        signer_explorer=network.address_url(listed.expected_signer),
        example=example,
        example_fee=fee,
        offers=[offer for offer in offers(service) if offer.row],
        has_several=listed.info.multi_model,
        changes=history.lines(service),
        model_url=model_names.url(network.slug, service.model) if service.model else "",
    )


def readable(text: str) -> str:
    """Return JSON indented and anything else as it is, every invisible character spelled out."""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        shown = text
    cut = shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"
    return "".join(c if c == "\n" or c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
