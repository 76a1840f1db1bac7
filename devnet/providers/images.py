"""Images: generations and edits, at once or as a job, and the pictures behind their URLs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import logging
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from devnet.faults import Fault
from devnet.providers import answers, drawing, fees, multipart, png, reencoding
from devnet.providers.admission import Admission, admission, require_model, upstream_refusal
from devnet.providers.delivery import Finished, send_whole, settle_up
from devnet.providers.provider import Provider
from devnet.providers.signatures import IMAGES_KEPT_FOR, images_text, response_text
from devnet.providers.storage import Job
from devnet.providers.wire import Outlet, Refusal, Request

MOST_IMAGES = 4
SMALLEST, LARGEST = 64, 1024  # pixels a side

log = logging.getLogger(__name__)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_running: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Order:
    """What to draw; `source` is the picture to edit, or None for a new one."""

    prompt: str
    count: int
    width: int
    height: int
    as_base64: bool
    source: bytes | None
    client_body: bytes


@dataclass(frozen=True, slots=True)
class Drawn:
    """Finished pictures and the reply that delivers them."""

    response_id: str
    images: list[bytes]
    reply: dict[str, Any]
    body: bytes


async def serve(provider: Provider, request: Request, outlet: Outlet) -> None:
    """Answer POST /v1/proxy/images/generations or /edits."""
    client_body = await request.body()
    async with admission(provider, request) as admitted:
        order = _order(provider, admitted, request, client_body)
        drawn = await _draw(provider, admitted, order)
        headers = [("content-type", "application/json"), ("zg-res-key", drawn.response_id)]
        body = drawn.body
        if admitted.fault is Fault.TAMPERED_ANSWER:
            body = (await _draw_other(provider, order, drawn)).body
        await send_whole(provider, admitted, outlet, body, headers)
        await _finish(provider, admitted, order, drawn)


async def serve_job(provider: Provider, request: Request, outlet: Outlet) -> None:
    """Answer POST /v1/async/images/...: take the order now, draw later, bill when done."""
    client_body = await request.body()
    if not client_body:
        raise Refusal("request body is required")
    async with admission(provider, request) as admitted:
        order = _order(provider, admitted, request, client_body)
        job = provider.jobs.add(admitted.user)
    task = asyncio.create_task(_work(provider, admitted, order, job))
    _running.add(task)
    task.add_done_callback(_running.discard)
    reply = {"jobId": job.job_id, "status": job.status}
    await outlet.reply_json(reply, 202, admitted.headers)


async def _work(provider: Provider, admitted: Admission, order: Order, job: Job) -> None:
    job.advance("processing")
    provider.running += 1
    try:
        if provider.options.tokens_per_second:
            await asyncio.sleep(1.0)
        drawn = await _draw(provider, admitted, order)
        job.data, job.response_id = drawn.reply, drawn.response_id
        job.advance("completed")
        await _finish(provider, admitted, order, drawn)
    except Exception as error:
        log.exception("The image job %s failed", job.job_id)
        job.error = str(error)
        job.advance("failed")
    finally:
        provider.running -= 1


def _order(provider: Provider, admitted: Admission, request: Request, client_body: bytes) -> Order:
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/"):
        parts = multipart.parse(content_type, client_body)
        fields: dict[str, Any] = {
            name: part.text for name, part in parts.items() if name != "image"
        }
        source = parts["image"].content if "image" in parts else None
    else:
        fields = reencoding.decode_object(client_body)
        source = _source(fields.get("image"))
    fields.setdefault("model", provider.profile.model)
    require_model(provider, admitted.user, fields)
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        upstream_refusal("prompt: a text is required")
    if provider.profile.service_type == "image-editing" and not source:
        upstream_refusal("image: a picture to edit is required")
    width, height = _size(fields.get("size"))
    return Order(
        prompt=prompt,
        count=_count(fields.get("n")),
        width=width,
        height=height,
        as_base64=fields.get("response_format") == "b64_json",
        source=source,
        client_body=client_body,
    )


def _source(value: Any) -> bytes | None:
    """The picture of a JSON order: base64, with or without a data URL around it."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return b"\0"  # something was sent, only not a readable picture


def _count(value: Any) -> int:
    """Only a JSON number counts; a text such as "2" means one, for drawing and for billing."""
    if isinstance(value, bool) or not isinstance(value, float):
        return 1
    if not 1 <= value <= MOST_IMAGES:
        upstream_refusal(f"n: must be between 1 and {MOST_IMAGES}")
    return int(value)


def _size(value: Any) -> tuple[int, int]:
    if value is None or value in ("", "auto"):
        return 512, 512
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not all(SMALLEST <= int(side) <= LARGEST for side in match.groups()):
        upstream_refusal(f"size: write WIDTHxHEIGHT, each {SMALLEST} to {LARGEST}")
    return int(match[1]), int(match[2])


async def _draw(provider: Provider, admitted: Admission, order: Order) -> Drawn:
    images = await asyncio.to_thread(_paint, order)
    response_id = str(uuid.uuid4())
    revised = answers.HOSTILE if admitted.fault is Fault.XSS else order.prompt
    return _drawn(provider, order, response_id, images, revised)


async def _draw_other(provider: Provider, order: Order, drawn: Drawn) -> Drawn:
    """Other pictures under the same id: what a tampering proxy would deliver."""
    images = [
        drawing.landscape(f"not {order.prompt}", width=order.width, height=order.height)
        for _ in drawn.images
    ]
    return _drawn(provider, order, drawn.response_id, images, order.prompt)


def _paint(order: Order) -> list[bytes]:
    return [_one(order, index) for index in range(order.count)]


def _one(order: Order, index: int) -> bytes:
    if order.source is None:
        return drawing.landscape(order.prompt, width=order.width, height=order.height, index=index)
    try:
        return drawing.tint(png.decode(order.source), f"{index}:{order.prompt}")
    except png.NotDecodable:
        source = hashlib.sha256(order.source).hexdigest()
        return drawing.landscape(
            f"{order.prompt} {source}", width=order.width, height=order.height, index=index
        )


def _drawn(
    provider: Provider, order: Order, response_id: str, images: list[bytes], revised: str
) -> Drawn:
    provider.images.keep(response_id, images)
    base = f"{provider.url}/v1/proxy/images/{response_id}"
    data = [
        {"b64_json": base64.b64encode(image).decode(), "revised_prompt": revised}
        if order.as_base64
        else {"url": f"{base}/{index}", "revised_prompt": revised}
        for index, image in enumerate(images)
    ]
    reply = {"created": int(time.time()), "data": data}
    body = json.dumps(reply, ensure_ascii=False, separators=(",", ":"))
    return Drawn(response_id, images, reply, body.encode("utf-8", "replace"))


async def _finish(provider: Provider, admitted: Admission, order: Order, drawn: Drawn) -> None:
    text = images_text(order.client_body, drawn.images)
    if provider.options.older_build:
        text = response_text(order.client_body, drawn.body)
    await settle_up(
        provider,
        Finished(
            user=admitted.user,
            response_id=drawn.response_id,
            signed_text=text,
            request_body=order.client_body,
            fee=fees.image_fee(admitted.service, len(drawn.images)),
            fault=admitted.fault,
            kept_for=IMAGES_KEPT_FOR,
        ),
    )
