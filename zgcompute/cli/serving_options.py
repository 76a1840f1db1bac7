"""The options that both servers share, and what they say."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zgcompute.cli.output import note

if TYPE_CHECKING:
    from zgcompute._http import AsyncDoor
    from zgcompute.serving.app import Settings
    from zgcompute.serving.targets import EndpointTarget

LOCAL_KEY_VARIABLE = "ZG_SERVE_KEY"
_SHORTEST_KEY = 16
_FALLBACK_MODEL = "gpt-3.5-turbo"
_OPTIONS = (
    click.option(
        "--host", default="127.0.0.1", show_default=True, help="The address to listen on."
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=3000,
        show_default=True,
        help="0 for any free one.",
    ),
    click.option(
        "--auth-file",
        type=click.Path(dir_okay=False),
        help=f"A file (mode 600) with the key that clients must send; else {LOCAL_KEY_VARIABLE}. "
        "Required where others can reach the host.",
    ),
    click.option(
        "--cors-origin",
        "origins",
        multiple=True,
        metavar="ORIGIN",
        help="A web page's origin that may use the server.",
    ),
    click.option(
        "--verify-before-forward",
        "must_verify",
        is_flag=True,
        help="Pass an answer that is no stream on only if its signature is verified.",
    ),
    click.option(
        "--request-timeout",
        type=click.FloatRange(1, 900),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a provider may be silent.",
    ),
    click.option(
        "--queue-size",
        type=click.IntRange(0, 10_000),
        default=100,
        show_default=True,
        help="Requests that wait while a provider takes no more.",
    ),
    click.option(
        "--queue-seconds",
        type=click.FloatRange(0, 3600),
        default=60.0,
        show_default=True,
        help="How long each waits at most.",
    ),
    click.option(
        "--cache-duration",
        type=click.FloatRange(0, 86_400),
        default=1200.0,
        show_default=True,
        metavar="SECONDS",
        help="How long an answer's hashes are kept for /v1/verify.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Log every request to standard error."),
)


@dataclass(slots=True)
class Shown:
    """What the options say; `secrets` are kept out of the log."""

    host: str
    port: int
    auth_file: str | None
    origins: Sequence[str]
    must_verify: bool
    request_timeout: float
    queue_size: int
    queue_seconds: float
    cache_duration: float
    verbose: bool
    secrets: list[str] = field(default_factory=list, repr=False)

    def settings(self, order: str = "priority") -> Settings:
        """The server's settings."""
        from zgcompute.serving.app import Settings
        from zgcompute.serving.dispatch import Rules
        from zgcompute.serving.routing import Order

        rules = Rules(Order(order), self.request_timeout, self.queue_seconds, self.queue_size)
        return Settings(rules, self.must_verify, self.cache_duration)

    def log_to_the_terminal(self, key: str) -> None:
        """Write the server's log to standard error, without a secret in it."""
        handler = _Terminal([key, *self.secrets])
        for name in ("zgcompute.serving", "uvicorn.error"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [handler], False
            logger.setLevel(logging.INFO if self.verbose and name != "uvicorn.error" else "WARNING")


class _Terminal(logging.Handler):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        note(text)


@dataclass(frozen=True, slots=True)
class EndpointOrder:
    """A fallback as it was named on the command line."""

    name: str
    url: str
    api_key: str = field(repr=False)
    model: str = _FALLBACK_MODEL
    priority: int | None = None

    def target(self, door: AsyncDoor, default_priority: int) -> EndpointTarget:
        """The target that it is."""
        from zgcompute.serving.targets import EndpointTarget

        priority = default_priority if self.priority is None else self.priority
        return EndpointTarget(
            self.name, priority, door, base_url=self.url, api_key=self.api_key, model=self.model
        )


def server_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a server; it gets them together as `shown`."""
    names = [name for name in Shown.__dataclass_fields__ if name != "secrets"]

    @wraps(function)
    def command(*args: Any, **options: Any) -> None:
        shown = Shown(**{name: options.pop(name) for name in names})
        function(*args, shown=shown, **options)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def local_key(shown: Shown) -> str:
    """The key that clients must send, "" where none is needed; raises ConfigurationError."""
    from zgcompute.errors import ConfigurationError
    from zgcompute.serving.guard import is_loopback

    key = _of_file(Path(shown.auth_file)) if shown.auth_file else _of_environment()
    if key and (len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable()):
        raise ConfigurationError(
            f"The server's key is no plain text of at least {_SHORTEST_KEY} characters.",
            advice="Make one with: openssl rand -hex 32",
        )
    if not key and not is_loopback(shown.host):
        raise ConfigurationError(
            f"At {shown.host} others could spend your funds: the server needs a key there.",
            advice=f"Put one into {LOCAL_KEY_VARIABLE}, or into a file named by --auth-file.",
        )
    return key


def parse_provider(
    context: click.Context, option: click.Parameter, values: Sequence[str]
) -> list[tuple[str, int | None]]:
    """Read ADDRESS or ADDRESS,PRIORITY."""
    found = []
    for value in values:
        address, _, priority = value.partition(",")
        found.append((address.strip(), _priority(priority, value)))
    return found


def parse_endpoint(
    context: click.Context, option: click.Parameter, values: Sequence[str]
) -> list[EndpointOrder]:
    """Read ID,URL,env:NAME,MODEL,PRIORITY; a key itself is refused, arguments can be seen."""
    return [_endpoint(value.split(",")) for value in values]


def _endpoint(parts: list[str]) -> EndpointOrder:
    if not 3 <= len(parts) <= 5:
        raise click.BadParameter("Write ID,URL,env:NAME and, if need be, MODEL and PRIORITY.")
    name, url, key, model, priority = (*(part.strip() for part in parts), "", "")[:5]
    if not name or not name.isprintable():
        raise click.BadParameter("The fallback needs an ID.")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("The fallback's URL must be an http or https one.")
    variable = key.removeprefix("env:")
    if variable == key:
        raise click.BadParameter(
            "An API key must not be an argument: everybody on this machine can see those. Put it "
            "into a variable and write env: and the variable's name in its place."
        )
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise click.BadParameter(f"The environment variable {variable[:80]} is not set.")
    rank = _priority(priority, "the endpoint's priority")
    return EndpointOrder(name, url, secret, model or _FALLBACK_MODEL, rank)


def _priority(text: str, where: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise click.BadParameter(f"{where}: the priority is a whole number.") from None


def _of_environment() -> str:
    return os.environ.get(LOCAL_KEY_VARIABLE, "").strip()


def _of_file(path: Path) -> str:
    from zgcompute.errors import ConfigurationError

    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(
            f"Others can read {path}.", advice=f"Make it yours alone: chmod 600 {path}"
        )
    key = path.read_text("utf-8").strip()
    if not key:
        raise ConfigurationError(f"{path} is empty.", advice="Write the key into it.")
    return key
