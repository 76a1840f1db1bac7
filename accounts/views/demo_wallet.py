"""The demo wallet's JSON-RPC endpoint; it exists on local networks only."""

from __future__ import annotations

import json

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from accounts import demo_wallet
from accounts.limits import limit
from marketplace.network import network_or_404
from zgcompute.errors import RpcUnreachable


@require_POST
def relay(request: HttpRequest, network: str) -> JsonResponse:
    """Answer one wallet request of the page for the demo account."""
    served = network_or_404(network)
    if not demo_wallet.is_offered(served):
        raise Http404("Only local networks have a demo wallet.")
    limit(request, "demo-wallet", 240)
    try:
        method, params = _asked(request.body)
        return JsonResponse({"result": demo_wallet.answer(served, method, params)})
    except demo_wallet.Refused as error:
        return _error(error.code, str(error))
    except RpcUnreachable as error:
        return _error(-32603, f"{error} {error.advice}")


def _asked(body: bytes) -> tuple[str, list[object]]:
    try:
        asked = json.loads(body)
        method, params = asked["method"], asked.get("params", [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise demo_wallet.Refused(-32700, "This is not a request.") from None
    if not isinstance(method, str) or not isinstance(params, list):
        raise demo_wallet.Refused(-32600, "This is not a request.")
    return method, params


def _error(code: int, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}})
