"""The HTTP face of one provider: its routes, its CORS, its common headers (PROTOCOL §3, §2.4)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from devnet.providers import attestation, chat, images, models, speech
from devnet.providers.admission import ErrorPage
from devnet.providers.limits import Bucket
from devnet.providers.provider import Provider
from devnet.providers.wire import (
    ConnectionLost,
    Headers,
    Outlet,
    Receive,
    Refusal,
    Request,
    Scope,
    Send,
)
from zgcompute.errors import Error

Handler = Callable[[Provider, Request, Outlet], Awaitable[None]]

PROXY = "/v1/proxy"
IMAGE_FETCHES_PER_MINUTE, IMAGE_FETCH_BURST = 120, 30

log = logging.getLogger(__name__)
_BILLED: dict[str, dict[str, Handler]] = {
    "chatbot": {"/chat/completions": chat.serve},
    "text-to-image": {"/images/generations": images.serve},
    "image-editing": {"/images/edits": images.serve},
    "speech-to-text": {"/audio/transcriptions": speech.serve},
}
_JOB_ROUTES = {
    "/v1/async/images/generations": "text-to-image",
    "/v1/async/images/edits": "image-editing",
}
_UNSETTLED = re.compile(r"/v1/user/([^/]+)/unsettledfee")
_IMAGE = re.compile(r"/images/([^/]+)/([^/]+)")
_JOB = re.compile(r"/v1/async/jobs/([^/]+)")
_NOT_FOUND = "404 page not found"


class ProviderApp:
    """An ASGI application around one provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._image_fetches: dict[str, Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        outlet = Outlet(send, self._common_headers(request))
        try:
            await self._route(request, outlet)
        except ConnectionLost:
            pass  # nobody is left to answer
        except Refusal as refusal:
            await self._refuse(outlet, refusal)
        except Error as error:  # the chain is away; brokers answer 400 to what has no type
            await self._refuse(outlet, Refusal(f"get account from contract, {error}"))
        except Exception:
            log.exception("%s could not serve %s", self.provider.profile.name, request.path)
            if not outlet.is_open:
                await outlet.reply_json({"error": "Internal Server Error"}, 500)

    async def _route(self, request: Request, outlet: Outlet) -> None:
        path = request.path.rstrip("/")
        if request.method == "OPTIONS":
            await outlet.reply(204, b"", _preflight(request))
        elif path == PROXY or path.startswith(PROXY + "/"):
            await self._proxy(_without_second_v1(path[len(PROXY) :]), request, outlet)
        elif path in _JOB_ROUTES and request.method == "POST":
            if self.provider.profile.service_type != _JOB_ROUTES[path]:
                raise Refusal("async processing is not enabled", 503)
            self.provider.requests[path] += 1
            await images.serve_job(self.provider, request, outlet)
        elif request.method in ("GET", "HEAD"):
            await self._own(path, request, outlet)
        else:
            await outlet.reply(404, _NOT_FOUND.encode(), [("content-type", "text/plain")])

    async def _proxy(self, path: str, request: Request, outlet: Outlet) -> None:
        handler = _BILLED[self.provider.profile.service_type].get(path)
        image = _IMAGE.fullmatch(path)
        if handler is not None and request.method == "POST":
            self.provider.requests[PROXY + path] += 1
            await handler(self.provider, request, outlet)
        elif path.startswith("/signature/"):
            await outlet.reply_json(self.provider.signatures.find(path.removeprefix("/signature/")))
        elif path == "/attestation/report":
            report = attestation.model_report(self.provider.profile, request.query("nonce"))
            await outlet.reply_json(report)
        elif image is not None and path not in ("/images/generations", "/images/edits"):
            await self._image(image[1], image[2], request, outlet)
        else:
            raise Refusal("unsupported endpoint: endpoint not supported")

    async def _own(self, path: str, request: Request, outlet: Outlet) -> None:
        unsettled, job = _UNSETTLED.fullmatch(path), _JOB.fullmatch(path)
        if path == "/v1/models" and self.provider.options.lists_models:
            settings = self.provider.limits.settings
            await outlet.reply_json(models.listing(self.provider.profile, settings))
        elif path == "/v1/quote":
            await self._quote(outlet)
        elif unsettled is not None:
            await self._unsettled_fee(unsettled[1], request, outlet)
        elif job is not None:
            await self._job(job[1], request, outlet)
        else:
            await outlet.reply(404, _NOT_FOUND.encode(), [("content-type", "text/plain")])

    async def _quote(self, outlet: Outlet) -> None:
        profile = self.provider.profile
        body = json.dumps(attestation.broker_report(profile), separators=(",", ":")).encode()
        signature = attestation.quote_signature(profile.tee_key, body)
        headers = [("content-type", "application/json"), ("zg-quote-signature", signature)]
        await outlet.reply(200, body, headers)

    async def _unsettled_fee(self, address: str, request: Request, outlet: Outlet) -> None:
        session = await self.provider.guard.check(request.headers.get("authorization", ""))
        if address.lower() != session.user.lower():
            raise Refusal("you can only query your own unsettled fee", 403)
        fee = self.provider.book.unsettled(session.user)
        await outlet.reply_json({"userAddress": session.user, "unsettledFee": str(fee)})

    async def _job(self, job_id: str, request: Request, outlet: Outlet) -> None:
        session = await self.provider.guard.check(request.headers.get("authorization", ""))
        job = self.provider.jobs.find(job_id, session.user)
        headers = [("retry-after", "5")] if job.is_open else []
        if job.status == "completed":
            headers.append(("zg-res-key", job.response_id))
        await outlet.reply_json(job.describe(), 200, headers)

    async def _image(self, key: str, index: str, request: Request, outlet: Outlet) -> None:
        if request.method not in ("GET", "HEAD"):
            raise Refusal("method not allowed", 405, [("allow", "GET, HEAD")])
        self._count_image_fetch(request.client)
        image, left = self.provider.images.find(key, index)
        headers = [
            ("content-type", "image/png"),
            ("cache-control", f"private, max-age={left}, immutable"),
        ]
        await outlet.reply(200, image, headers)

    def _count_image_fetch(self, client: str) -> None:
        now = self.provider.limits.clock()
        full = Bucket(IMAGE_FETCHES_PER_MINUTE / 60, IMAGE_FETCH_BURST, IMAGE_FETCH_BURST, now)
        bucket = self._image_fetches.setdefault(client, full)
        bucket.refill(now)
        if bucket.level < 1:
            text = "Too many requests. Please try again later."
            raise Refusal(text, 429, [("retry-after", "1")])
        bucket.level -= 1

    async def _refuse(self, outlet: Outlet, refusal: Refusal) -> None:
        if outlet.is_open:
            log.warning("%s gave up an answer: %s", self.provider.profile.name, refusal)
        elif isinstance(refusal, ErrorPage):
            await outlet.reply(refusal.status, refusal.page, [("content-type", "text/html")])
        else:
            body = _older(refusal.body) if self.provider.options.older_build else refusal.body
            await outlet.reply_json(body, refusal.status, refusal.headers)

    def _common_headers(self, request: Request) -> Headers:
        if not request.path.startswith(PROXY):
            return (
                ("access-control-allow-origin", "*"),
                ("access-control-expose-headers", "ZG-Res-Key, Retry-After, ZG-Quote-Signature"),
            )
        headers = [
            ("provider", self.provider.address),
            ("x-accel-buffering", "no"),
            ("access-control-expose-headers", "Provider,content-encoding,ZG-Res-Key"),
        ]
        origin = request.headers.get("origin")
        if origin:
            headers += [
                ("access-control-allow-origin", origin),
                ("access-control-allow-credentials", "true"),
                ("vary", "Origin"),
            ]
        return headers


def _older(body: dict[str, Any]) -> dict[str, Any]:
    """The longer prefix of older builds."""
    text = body.get("error")
    if isinstance(text, str) and text.startswith("validate "):
        return {"error": f"Provider proxy: handle proxied service, {text}"}
    return body


def _without_second_v1(path: str) -> str:
    return path.removeprefix("/v1") if path.startswith("/v1/") else path


def _preflight(request: Request) -> Headers:
    if request.path.startswith(PROXY):
        allowed, age = "Content-Type,Authorization,X-Requested-With,Accept,Origin", "43200"
    else:
        allowed, age = "Content-Type,Authorization", "86400"
    return (
        ("access-control-allow-methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
        ("access-control-allow-headers", allowed),
        ("access-control-max-age", age),
    )
