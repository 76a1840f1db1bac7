"""The pictures of questions, to their owner only."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from accounts.serving import private_file
from chat.access import picture_for


@require_GET
def picture(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One picture (?download= to keep it)."""
    found = picture_for(request.user, network, pk)
    return private_file(request, found, found.download_name)
