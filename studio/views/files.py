"""The bytes of a work's files, to their owner only."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from accounts import pictures
from accounts.serving import private_file
from studio.access import file_for


@require_GET
def file(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One file (?download= to keep it); players get the part that they ask for."""
    found = file_for(request.user, network, pk)
    return private_file(request, found, found.download_name)


@require_GET
def converted(request: HttpRequest, network: str, pk: UUID, wanted: str) -> HttpResponse:
    """A shown picture in another format, to keep; only the original holds the signed bytes."""
    found = file_for(request.user, network, pk)
    if wanted not in found.other_formats:
        raise Http404("This file is not offered in that format.")
    try:
        content = pictures.converted(found.read(), wanted)
    except FileNotFoundError as error:
        raise Http404("This file is no longer in the storage.") from error
    response = HttpResponse(content, content_type=pictures.FORMATS[wanted])
    name = f"{found.download_name.rpartition('.')[0]}.{wanted}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=86400"
    return response
