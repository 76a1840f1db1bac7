"""How long a recording is, as its file says: a claim, like all that is in an upload."""

from __future__ import annotations

from io import BytesIO

from tinytag import TinyTag, TinyTagException

from zgcompute.fees import MAX_SPEECH_SECONDS

_MOST_STEPS = 200_000  # of reading: far more than two hours of Ogg, and a tenth of a second


def length(content: bytes) -> int | None:
    """Whole seconds of the sound in `content`, at least 1; None where its headers do not say.

    A false claim misleads only the estimate: providers measure for themselves.
    """
    try:
        seconds = TinyTag.get(file_obj=_Reluctant(content), tags=False).duration
    except TinyTagException:
        return None
    if seconds is None or not 0 < seconds <= MAX_SPEECH_SECONDS:
        return None
    return max(1, round(seconds))


class _Reluctant(BytesIO):
    """Ends the reading of a file that was made to be read for ever."""

    steps = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise EOFError("The file has too many parts.")
        return super().read(size)
