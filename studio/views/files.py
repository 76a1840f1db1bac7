"""The bytes of a work's files, to their owner only: drawn where harmless, else only downloaded."""

from __future__ import annotations

import re
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from studio.access import file_for

_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})", re.ASCII)


@require_GET
def file(request: HttpRequest, network: str, pk: UUID) -> HttpResponse:
    """One file (?download= to keep it); players get the part that they ask for."""
    found = file_for(request.user, network, pk)
    is_inline = found.is_shown and "download" not in request.GET
    place = "inline" if is_inline else "attachment"
    content = found.read()
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    response = _part(content, asked) if asked else HttpResponse(content)
    response["Content-Type"] = found.media_type
    response["Content-Disposition"] = f'{place}; filename="{found.download_name}"'
    response["Content-Encoding"] = "identity"  # pictures and sound do not get smaller
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=86400"
    return response


def _part(content: bytes, asked: re.Match[str]) -> HttpResponse:
    """The bytes of a single range (RFC 9110 §14)."""
    start, size = int(asked[1]), len(content)
    end = min(int(asked[2]) if asked[2] else size - 1, size - 1)
    if start > end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return HttpResponse(content[start : end + 1], status=206, headers=headers)
