"""What every response passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import add_never_cache_headers

import zgcompute
from marketplace import problems

if TYPE_CHECKING:
    from collections.abc import Callable


class CompressPages(GZipMiddleware):
    """Compress whole pages; leave streams alone (Django's own cuts async ones short)."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.streaming:
            return response
        return super().process_response(request, response)


class PrivatePages:
    """Let nobody keep a page for the next visitor: each carries a token, and often a balance."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class ProblemPages:
    """Show an SDK error, or a refused body, as a problem page or fragment with its remedy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponseBase | None:
        """Refuse a request whose body was too large to be read (`body_limit` in its scope)."""
        limit: int | None = getattr(request, "scope", {}).get("body_limit")
        return None if limit is None else problems.too_large(request, limit)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        if isinstance(exception, zgcompute.errors.Error):
            status = getattr(exception, "http_status", 502)
            return problems.problem(request, str(exception), exception.advice, status=status)
        return None
