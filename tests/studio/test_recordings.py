"""The length of a recording is read from its headers, whatever somebody wrote into them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from studio.recordings import length
from tests.studio import sounds
from zgcompute.fees import MAX_SPEECH_SECONDS
from zgcompute.uploads import Upload

FORMATS = [sounds.wav, sounds.mp3, sounds.ogg, sounds.m4a, sounds.flac]
HOSTILE = {
    "an endless search for a frame": b"\xff\xfb" + b"\xff" * (8 << 20),
    "nothing but tiny chunks": b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * (1 << 20),
    "nothing but empty atoms": b"\0\0\0\x0cftypM4A " + b"\0\0\0\x08free" * (1 << 20),
    "atoms of no size": b"\0\0\0\x0cftypM4A " + b"\0\0\0\0moov" * 1000,
    "an ID3 tag that claims 256 MB": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(1000),
    "a length of no time": sounds.m4a(0),
    "a length of a hundred hours": sounds.m4a(MAX_SPEECH_SECONDS + 3600),
    "a sampling rate of nought": sounds.wav(7, rate=1).replace(b"\1\0\0\0\1\0\0\0", bytes(8)),
}


@pytest.mark.parametrize("made", FORMATS, ids=lambda made: made.__name__)
@pytest.mark.parametrize("seconds", [9, sounds.TWO_HOURS])
def test_the_length_is_the_headers(made: Callable[[int], bytes], seconds: int) -> None:
    content = made(seconds)
    assert Upload.recording(content).content is content  # it is taken as a recording
    assert length(content) == seconds


def test_what_a_browser_records_states_no_length() -> None:
    content = sounds.webm()
    assert Upload.recording(content).media_type == "audio/webm"
    assert length(content) is None


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_has_no_length(case: str) -> None:
    assert length(HOSTILE[case]) is None


def test_no_damage_does_more_than_hide_or_change_the_length() -> None:
    chance = random.Random(2026)
    whole = [made(5) for made in FORMATS]
    found = set()
    for _ in range(2000):
        damaged = bytearray(chance.choice(whole)[: chance.choice([50, 500, 5000])])
        for _ in range(chance.randint(1, 9)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        found.add(length(bytes(damaged)))
    assert None in found
    assert len(found) > 2
    assert all(1 <= seconds <= MAX_SPEECH_SECONDS for seconds in found - {None})  # type: ignore[operator]
