"""The bytes of a work's files, to their owner only."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from accounts.serving import private_file
from studio.access import file_for


@require_GET
def file(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One file (?download= to keep it); players get the part that they ask for."""
    found = file_for(request.user, network, pk)
    return private_file(request, found, found.download_name)
