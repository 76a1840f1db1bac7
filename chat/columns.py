"""What a page of providers side by side shows: a column for each, and the composer below them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest

from chat import comparisons
from chat.models import Comparison, Conversation
from chat.passages import last_turn
from chat.rooms import Room, asking_form, chat_services, room, turns_context
from chat.standings import standings
from chat.turns import TurnRefused


def start_context(request: HttpRequest, network: str) -> dict[str, Any]:
    """Choosing whom to ask; with ?provider= for each, what each of them lacks."""
    services, wanted = chat_services(network), request.GET.getlist("provider")
    context: dict[str, Any] = {"section": "chat", "services": services, "wanted": wanted}
    try:
        chosen = comparisons.chosen(services, wanted) if wanted else []
    except TurnRefused as refusal:
        return context | {"choice_problem": str(refusal)}
    rooms = [room(request, network, service) for service in chosen]
    columns = [
        _names(place, one.provider, one.model) for place, one in zip(rooms, chosen, strict=True)
    ]
    return context | {"columns": columns, "asking": asking_form(None), **_dock(rooms)}


def comparison_context(
    request: HttpRequest, comparison: Comparison, refused: Mapping[UUID, str] | None = None
) -> dict[str, Any]:
    """A comparison's conversations as columns; `refused` says why one was not asked just now."""
    listed = comparisons.conversations(comparison)
    columns = [_column(request, one, (refused or {}).get(one.pk, "")) for one in listed]
    lasts = [column["passage"].turns[-1] if column["turns"] else None for column in columns]
    for column, standing in zip(columns, standings(lasts), strict=True):
        column["standing"] = standing
    return {
        "section": "chat",
        "comparison": comparison,
        "title": next((one.title for one in listed if one.title), ""),
        "columns": columns,
        "picked": _picked(comparison, listed),
        **_dock([column["room"] for column in columns]),
    }


def standings_context(comparison: Comparison) -> dict[str, Any]:
    """What the fragment above the columns needs: only the last turn of each is read."""
    listed = comparisons.conversations(comparison)
    lasts = standings([last_turn(one) for one in listed])
    columns = [
        {"conversation": one, "model": one.model, "standing": standing}
        for one, standing in zip(listed, lasts, strict=True)
    ]
    return {"comparison": comparison, "columns": columns, "picked": _picked(comparison, listed)}


def _picked(comparison: Comparison, listed: list[Conversation]) -> Conversation | None:
    return next((one for one in listed if one.place == comparison.picked), None)


def _column(request: HttpRequest, conversation: Conversation, refusal: str) -> dict[str, Any]:
    shown = turns_context(request, conversation)
    return {
        **shown,
        **_names(shown["room"], conversation.provider, conversation.model),
        "has_missed": comparisons.has_missed(conversation),
        "refusal": refusal,
    }


def _names(place: Room, provider: str, model: str) -> dict[str, Any]:
    return {"room": place, "provider": provider, "model": model}


def _dock(rooms: list[Room]) -> dict[str, Any]:
    is_ready = any(map(_is_ready, rooms))
    is_waiting = not is_ready and any(place.is_waiting for place in rooms)
    return {"is_ready": is_ready, "is_waiting": is_waiting, "turn_key": uuid4()}


def _is_ready(place: Room) -> bool:
    return place.is_open and place.next_step is None
