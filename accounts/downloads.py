"""Tables as CSV files, written while they are sent: however many rows, little is held at a time.

Text that came from the chain or a provider may be a formula to a spreadsheet; such a cell is
quoted. Amounts are our own digits and stay numbers, so that a column can be summed.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_ROWS_AT_A_TIME = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def text(cell: str) -> str:
    """Hostile text as a cell that no spreadsheet runs."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def respond(
    request: HttpRequest, name: str, heads: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """Send `rows` (lazy, of finished cells) as the file `name`."""
    lines = _lines(heads, iter(rows))
    content = _in_a_thread(lines) if isinstance(request, ASGIRequest) else lines
    return StreamingHttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _lines(heads: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield str(writer.writerow(heads))
    while some := list(islice(rows, _ROWS_AT_A_TIME)):
        yield "".join(str(writer.writerow(row)) for row in some)


async def _in_a_thread(lines: Iterator[str]) -> AsyncIterator[str]:
    """Read the database where the request's view did, not in the event loop."""
    while (piece := await sync_to_async(_next)(lines)) is not None:
        yield piece


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)
