"""What pays for an answer: the API key of the environment, or a session that the wallet signs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zgcompute.cli import keystore
from zgcompute.cli.output import note
from zgcompute.cli.place import KEY_VARIABLE

if TYPE_CHECKING:
    from zgcompute.broker import Broker


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """An API key, or else the wallet's key; never an argument: those show."""

    api_key: str
    source: keystore.Source | None

    def ready(self, broker: Broker) -> str:
        """The API key for answers, or "" once `broker` has the signer for a session."""
        if self.source is not None:
            note(f"{self.source.address} signs a session with the provider; it costs nothing.")
            broker.signer = keystore.signer(self.source)
        return self.api_key


def required_credentials() -> Credentials:
    """What there is, the API key first; raises ConfigurationError where there is neither."""
    from zgcompute.errors import ConfigurationError

    key = os.environ.get(KEY_VARIABLE, "").strip()
    source = None if key else keystore.found()
    if not key and source is None:
        raise ConfigurationError(
            f"The environment variable {KEY_VARIABLE} is not set, and there is no wallet key.",
            advice="Log in with: 0g-compute-cli login. Or put an API key for this provider there, "
            "made with inference get-secret or on its page.",
        )
    return Credentials(key, source)
