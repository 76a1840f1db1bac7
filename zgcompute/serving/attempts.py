"""What comes of asking one target: a reply that has begun, or a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

from zgcompute._http import AsyncReply
from zgcompute.errors import Error
from zgcompute.serving.calls import Sent
from zgcompute.serving.problems import Problem, problem_of
from zgcompute.serving.routing import may_be_billed
from zgcompute.serving.targets import Target


@dataclass(slots=True)
class Opened:
    """A reply that has begun to come; whoever reads it to its end has the whole answer."""

    target: Target
    model: str
    sent: Sent
    reply: AsyncReply
    began: float
    received: int = 0

    @property
    def key(self) -> str:
        """The reply's ZG-Res-Key."""
        return self.reply.headers.get("zg-res-key", "")

    @property
    def request_sha256(self) -> str:
        """Lower-case hex, of the body as sent."""
        return sha256(self.sent.content).hexdigest()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they come; raises ProviderError."""
        async for chunk in self.reply.chunks():
            if not self.received:
                self.target.breaker.answered()
                self.target.record.note_first_byte(self.target.clock() - self.began)
            self.received += len(chunk)
            yield chunk

    async def read(self) -> bytes:
        """The whole body; raises ProviderError."""
        return b"".join([chunk async for chunk in self.chunks()])


@dataclass(eq=False)
class Failed(Exception):
    """An attempt that failed, and what the one who was asked said."""

    target: Target
    error: Error
    body: bytes = b""

    @property
    def problem(self) -> Problem:
        """What the client is told."""
        error, name = self.error, self.target.name
        if self.target.is_paid_elsewhere and getattr(error, "status", 0) in (401, 403):
            return Problem(502, f"{name} does not accept its key.", "server_error", "bad_gateway")
        billed = may_be_billed(error, self.body)
        return problem_of(error, provider=name, body=self.body, may_be_billed=billed)
