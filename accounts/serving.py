"""The bytes of a stored file as a response: drawn where harmless, else only downloaded."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest, HttpResponse

from accounts.stored import StoredFile

_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})", re.ASCII)


def private_file(request: HttpRequest, file: StoredFile, name: str) -> HttpResponse:
    """One file (?download= to keep it as `name`); players get the part that they ask for.

    Whoever calls this has settled that `file` is the asker's own. Raises Http404 if it is gone.
    """
    is_inline = file.is_shown and "download" not in request.GET
    place = "inline" if is_inline else "attachment"
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    try:
        response = _part(file, asked) if asked else HttpResponse(file.read())
    except FileNotFoundError as error:
        raise Http404("This file is no longer in the storage.") from error
    response["Content-Type"] = file.media_type
    response["Content-Disposition"] = f'{place}; filename="{name}"'
    response["Content-Encoding"] = "identity"  # pictures and sound do not get smaller
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, max-age=86400"
    return response


def _part(file: StoredFile, asked: re.Match[str]) -> HttpResponse:
    """The bytes of a single range (RFC 9110 §14)."""
    start, size = int(asked[1]), file.size
    end = min(int(asked[2]) if asked[2] else size - 1, size - 1)
    if start > end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Content-Range": f"bytes {start}-{end}/{size}"}
    return HttpResponse(file.read(start, end - start + 1), status=206, headers=headers)
