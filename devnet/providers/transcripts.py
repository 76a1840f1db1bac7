"""What was "heard" in a recording: its length from the WAV header, and fixed words to fill it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

WORDS_PER_SECOND = 2.5
SEGMENT_SECONDS = 4.0
BYTES_PER_SECOND = 16_000  # assumed for anything that is not a readable WAV file
MAX_CHUNKS = 200  # of a WAV file, before its data
LONGEST = 4 * 3600.0  # seconds that are transcribed; longer recordings are cut

_SENTENCES = (
    "This is devnet text, not a transcript. The test provider cannot hear; it counts the seconds "
    "of your recording and fills them with these words, so that times and fees can be checked."
)


@dataclass(frozen=True, slots=True)
class Segment:
    """Words between two times in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    duration: float
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


def transcribe(recording: bytes) -> Transcript:
    """Return the same transcript for the same length, whatever the bytes are."""
    duration = round(min(wav_seconds(recording) or len(recording) / BYTES_PER_SECOND, LONGEST), 3)
    words = iter(islice(cycle(_SENTENCES.split()), max(1, round(duration * WORDS_PER_SECOND))))
    segments: list[Segment] = []
    start = 0.0
    while text := " ".join(islice(words, round(SEGMENT_SECONDS * WORDS_PER_SECOND))):
        end = min(start + SEGMENT_SECONDS, max(duration, start + 0.001))
        segments.append(Segment(round(start, 3), round(end, 3), text))
        start = end
    return Transcript(duration, tuple(segments))


def wav_seconds(data: bytes) -> float | None:
    """The length that a WAV header claims for the bytes that are there, or None for other files."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    offset, byte_rate = 12, 0
    for _ in range(MAX_CHUNKS):
        if offset + 8 > len(data):
            break
        name, size = data[offset : offset + 4], struct.unpack_from("<I", data, offset + 4)[0]
        if name == b"fmt " and offset + 20 <= len(data):
            (byte_rate,) = struct.unpack_from("<I", data, offset + 16)
        if name == b"data":
            present = min(size, len(data) - offset - 8)
            return present / byte_rate if byte_rate else None
        offset += 8 + size + size % 2
    return None


def as_json(transcript: Transcript) -> dict[str, Any]:
    return {"text": transcript.text, "usage": _usage(transcript)}


def as_verbose_json(transcript: Transcript) -> dict[str, Any]:
    return {
        "task": "transcribe",
        "language": "english",
        "duration": transcript.duration,
        "text": transcript.text,
        "segments": [
            {"id": index, "start": part.start, "end": part.end, "text": part.text}
            for index, part in enumerate(transcript.segments)
        ],
        "usage": _usage(transcript),
    }


def as_srt(transcript: Transcript) -> str:
    return "\n".join(
        f"{index}\n{_cue(part, ',')}\n{part.text}\n"
        for index, part in enumerate(transcript.segments, 1)
    )


def as_vtt(transcript: Transcript) -> str:
    cues = "\n".join(f"{_cue(part, '.')}\n{part.text}\n" for part in transcript.segments)
    return f"WEBVTT\n\n{cues}"


def as_text(transcript: Transcript) -> str:
    return transcript.text + "\n"


TEXT_FORMATS: dict[str, tuple[str, Callable[[Transcript], str]]] = {
    "text": ("text/plain; charset=utf-8", as_text),
    "srt": ("application/x-subrip; charset=utf-8", as_srt),
    "vtt": ("text/vtt; charset=utf-8", as_vtt),
}
JSON_FORMATS: dict[str, Callable[[Transcript], dict[str, Any]]] = {
    "json": as_json,
    "verbose_json": as_verbose_json,
}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": max(1, round(transcript.duration))}


def _cue(part: Segment, decimal_mark: str) -> str:
    return f"{_time(part.start, decimal_mark)} --> {_time(part.end, decimal_mark)}"


def _time(seconds: float, decimal_mark: str) -> str:
    millis = round(seconds * 1000)
    minutes, millis = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{millis // 1000:02d}{decimal_mark}{millis % 1000:03d}"
