"""POST /v1/proxy/audio/transcriptions: a recording in, labelled fixed words out."""

from __future__ import annotations

import asyncio
import json
import uuid

from devnet.faults import Fault
from devnet.providers import answers, fees, multipart, transcripts
from devnet.providers.admission import Admission, admission, require_model, upstream_refusal
from devnet.providers.delivery import Finished, send_whole, settle_up
from devnet.providers.provider import Provider
from devnet.providers.signatures import response_text
from devnet.providers.transcripts import Segment, Transcript
from devnet.providers.wire import Outlet, Request


async def serve(provider: Provider, request: Request, outlet: Outlet) -> None:
    """Answer one transcription request."""
    body = await request.body()
    async with admission(provider, request) as admitted:
        recording, wanted = _form(provider, admitted, request, body)
        transcript = await asyncio.to_thread(transcripts.transcribe, recording)
        if admitted.fault is Fault.XSS:
            transcript = _hostile(transcript)
        kind, reply = _render(transcript, wanted)
        response_id = str(uuid.uuid4())
        headers = [("content-type", kind), ("zg-res-key", response_id)]
        is_tampered = admitted.fault is Fault.TAMPERED_ANSWER
        sent = reply.replace(b"This is", b"This is no", 1) if is_tampered else reply
        await send_whole(provider, admitted, outlet, sent, headers)
        await settle_up(
            provider,
            Finished(
                user=admitted.user,
                response_id=response_id,
                signed_text=response_text(body, reply),
                request_body=body,
                fee=fees.speech_fee(admitted.service, _billed_seconds(transcript, wanted)),
                fault=admitted.fault,
            ),
        )


def _form(
    provider: Provider, admitted: Admission, request: Request, body: bytes
) -> tuple[bytes, str]:
    """The recording, and the format that is wanted; raises Refusal."""
    parts = multipart.parse(request.headers.get("content-type", ""), body)
    model = parts["model"].text if "model" in parts else provider.profile.model
    require_model(provider, admitted.user, {"model": model})
    recording = parts.get("file")
    if recording is None or not recording.content:
        upstream_refusal("file: a recording is required")
    wanted = parts["response_format"].text if "response_format" in parts else "json"
    return recording.content, wanted


def _render(transcript: Transcript, wanted: str) -> tuple[str, bytes]:
    if wanted in transcripts.JSON_FORMATS:
        value = transcripts.JSON_FORMATS[wanted](transcript)
        return "application/json", json.dumps(value, ensure_ascii=False).encode()
    if wanted not in transcripts.TEXT_FORMATS:
        upstream_refusal("response_format: json, text, srt, vtt or verbose_json")
    kind, write = transcripts.TEXT_FORMATS[wanted]
    return kind, write(transcript).encode()


def _billed_seconds(transcript: Transcript, wanted: str) -> float:
    """What a broker reads out of the reply: usage, duration, the last cue; plain text has none."""
    if wanted == "text":
        return 0.0
    if wanted in ("srt", "vtt"):
        return transcript.segments[-1].end
    return transcript.duration


def _hostile(transcript: Transcript) -> Transcript:
    segment = Segment(0.0, transcript.duration, " ".join(answers.HOSTILE.split()))
    return Transcript(transcript.duration, (segment,))
