"""The bytes of a work's files, to their owner only: drawn where harmless, else only downloaded."""

from __future__ import annotations

import re
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from studio import pictures
from studio.access import file_for
from studio.models import File

_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})", re.ASCII)


@require_GET
def file(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One file (?download= to keep it); players get the part that they ask for."""
    found = file_for(request.user, network, pk)
    is_inline = found.is_shown and "download" not in request.GET
    place = "inline" if is_inline else "attachment"
    try:
        response = _whole_or_part(found, request.headers.get("Range", ""))
    except FileNotFoundError as error:
        raise Http404("This file is no longer in the storage.") from error
    response["Content-Type"] = found.media_type
    response["Content-Disposition"] = f'{place}; filename="{found.download_name}"'
    response["Content-Encoding"] = "identity"  # pictures and sound do not get smaller
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=86400"
    return response


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


def _whole_or_part(found: File, asked: str) -> HttpResponse:
    """The file, or the bytes of a single range of it (RFC 9110 §14)."""
    if not (bounds := _RANGE.fullmatch(asked)):
        return HttpResponse(found.read())
    start, size = int(bounds[1]), found.size
    end = min(int(bounds[2]) if bounds[2] else size - 1, size - 1)
    if start > end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return HttpResponse(found.read(start, end - start + 1), status=206, headers=headers)
