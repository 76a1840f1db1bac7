"""The public read API: JSON for programs from any origin, from our database only."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt

from marketplace import openapi, public_api, rate_limit
from marketplace.access import service_or_404
from marketplace.models import Service
from marketplace.network import network_or_404, served
from marketplace.search import Search

PER_MINUTE = openapi.REQUESTS_PER_MINUTE
MAX_AGE = 15  # seconds an answer may be kept
_METHODS = "GET, HEAD, OPTIONS"

View = Callable[..., dict[str, Any]]


class NotAccepted(Exception):
    """A request that cannot be answered: its status, and what the sender can do about it."""

    def __init__(self, status: int, message: str, remedy: str) -> None:
        super().__init__(message)
        self.status, self.remedy = status, remedy


def _public(view: View) -> Callable[..., HttpResponse]:
    """Make an endpoint of a function that returns a document."""

    @wraps(view)
    def endpoint(request: HttpRequest, **kwargs: str) -> HttpResponse:
        if request.method == "OPTIONS":
            return _open_to_all(HttpResponse(status=204))
        allowance = rate_limit.count(request, "api", PER_MINUTE)
        try:
            _require(request, allowance)
            response = _answer(request, view(request, **kwargs))
        except Http404 as error:
            response = _refusal(404, str(error), "GET /api/v1/networks lists what there is.")
        except NotAccepted as error:
            response = _refusal(error.status, str(error), error.remedy)
        response["X-RateLimit-Limit"] = str(allowance.limit)
        response["X-RateLimit-Remaining"] = str(allowance.left)
        if response.status_code == 429:
            response["Retry-After"] = str(allowance.resets_in)
        return _open_to_all(response)

    return csrf_exempt(endpoint)  # it reads only, and for nobody in particular


@_public
def networks(request: HttpRequest) -> dict[str, Any]:
    return public_api.networks()


@_public
def models(request: HttpRequest, network: str) -> dict[str, Any]:
    found = network_or_404(network)
    listed = Service.objects.on(found.slug).listed().with_findings().select_related("reported")
    services = listed.prefetch_related("model_rows")
    offset = _number(request, "offset", default=0, most=100_000)
    limit = _number(request, "limit", default=openapi.PAGE, most=openapi.MOST)
    wanted = Search.read(request.GET).narrow(services)
    return public_api.models(found, wanted, offset=offset, limit=limit)


@_public
def provider(request: HttpRequest, network: str, address: str) -> dict[str, Any]:
    return public_api.provider(service_or_404(network_or_404(network), address))


@_public
def document(request: HttpRequest) -> dict[str, Any]:
    return openapi.document(request.build_absolute_uri("/api/v1"), list(served()))


@_public
def unknown(request: HttpRequest, rest: str) -> dict[str, Any]:
    raise Http404(f"There is no /api/v1/{rest[:100]}.")


def _require(request: HttpRequest, allowance: rate_limit.Allowance) -> None:
    if request.method not in ("GET", "HEAD"):
        raise NotAccepted(405, f"This API only reads: {request.method} is not offered.", "Use GET.")
    if allowance.is_spent:
        raise NotAccepted(
            429,
            f"More than {allowance.limit} requests in a minute.",
            f"Wait {allowance.resets_in} s, and keep answers for as long as Cache-Control says.",
        )


def _number(request: HttpRequest, name: str, *, default: int, most: int) -> int:
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        message = f"{name} is not a whole number from 0 to {most}."
        raise NotAccepted(400, message, f"Leave {name} out, or give such a number.")
    return int(text)


def _answer(request: HttpRequest, found: dict[str, Any]) -> HttpResponse:
    body = json.dumps(found, separators=(",", ":")).encode()
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = f"public, max-age={MAX_AGE}"
    conditional = get_conditional_response(request, etag=etag, response=response)
    assert isinstance(conditional, HttpResponse)
    return conditional


def _refusal(status: int, message: str, remedy: str) -> HttpResponse:
    error = {"code": status, "message": message, "remedy": remedy}
    response = HttpResponse(
        json.dumps({"error": error}), status=status, content_type="application/json"
    )
    response["Cache-Control"] = "no-store"
    if status == 405:
        response["Allow"] = _METHODS
    return response


def _open_to_all(response: HttpResponse) -> HttpResponse:
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Allow-Methods"] = _METHODS
    response["Access-Control-Allow-Headers"] = "If-None-Match"
    response["Access-Control-Expose-Headers"] = (
        "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining"
    )
    return response
