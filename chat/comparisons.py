"""One prompt to several providers at once: each is asked in an ordinary conversation of its own."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from django.db import transaction

from accounts.models import Wallet
from chat import turns
from chat.models import Comparison, Conversation
from chat.passages import Turn
from chat.turns import TurnRefused
from marketplace.models import Service

LEAST, MOST = 2, 4


def chosen(services: Sequence[Service], addresses: Sequence[str]) -> list[Service]:
    """Return those of `services` that `addresses` name, in the order named.

    Raises TurnRefused where they are too few or too many to ask side by side.
    """
    by_address = {service.provider.lower(): service for service in services}
    names = dict.fromkeys(address.lower() for address in addresses)
    found = [by_address[name] for name in names if name in by_address]
    if len(found) < LEAST:
        raise TurnRefused("Choose at least two of the chat providers of this network.")
    if len(found) > MOST:
        raise TurnRefused(f"These are {len(found)} providers; four can be asked at once.")
    return found


def start(
    wallet: Wallet,
    services: Sequence[Service],
    *,
    key: UUID,
    system_prompt: str,
    parameters: dict[str, object],
) -> Comparison:
    """Return the comparison that the form with `key` starts: a new one, the first time."""
    key = uuid5(key, " ".join(service.provider for service in services))
    with transaction.atomic():
        defaults = {"network": services[0].network}
        comparison, is_new = Comparison.objects.get_or_create(
            wallet=wallet, key=key, defaults=defaults
        )
        for place, service in enumerate(services if is_new else ()):
            conversation = turns.start(
                wallet,
                service,
                key=uuid5(key, service.provider),
                system_prompt=system_prompt,
                parameters=parameters,
            )
            conversation.comparison, conversation.place = comparison, place
            conversation.save(update_fields=["comparison", "place"])
    return comparison


def conversations(comparison: Comparison) -> list[Conversation]:
    """Those of the comparison that are not deleted, in the order of their columns."""
    kept = comparison.conversations.filter(deleted_at=None).select_related("comparison")
    return list(kept.order_by("place"))


def ask(conversation: Conversation, *, key: UUID, text: str) -> Turn:
    """Ask one provider what the form `key` asks of all: once, however often the form comes.

    Raises TurnRefused while its previous answer is running, and after one was picked.
    """
    comparison = conversation.comparison
    assert comparison is not None
    if comparison.picked is not None:
        raise TurnRefused("You have gone on with one of these. Ask it on its own page.")
    turn = turns.ask(conversation, key=_key(conversation, key), text=text)
    Comparison.objects.filter(pk=comparison.pk).update(asked_key=key, asked_text=text)
    return turn


def has_missed(conversation: Conversation) -> bool:
    """Tell whether the last prompt to all has not reached this one."""
    comparison = conversation.comparison
    assert comparison is not None
    if comparison.asked_key is None or comparison.picked is not None:
        return False
    key = _key(conversation, comparison.asked_key)
    return not turns.was_asked(conversation, key=key, text=comparison.asked_text)


def pick(conversation: Conversation) -> None:
    """Go on with this one: the others stay as they are."""
    comparison = conversation.comparison
    assert comparison is not None
    comparison.picked = conversation.place
    comparison.save(update_fields=["picked"])


def _key(conversation: Conversation, key: UUID) -> UUID:
    return uuid5(key, conversation.provider)
