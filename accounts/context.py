"""What the header needs to know of the signed-in wallet."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def wallet(request: HttpRequest) -> dict[str, Any]:
    user = request.user
    return {"wallet": user if user.is_authenticated else None}
