"""Intel's current lists for one quote: the only request here that goes to no provider.

The verifier library's own client does it, in a process of its own: its threads outlive the call
and now and then take a Python that is ending down with them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from zgcompute.errors import Error

SOURCE = "https://api.trustedservices.intel.com"
TIMEOUT = 20.0  # seconds for all of its requests together
_CHILD = "zgcompute.attestation._intel_client"
_ROOT = Path(__file__).resolve().parents[2]

Fetcher = Callable[[bytes], str]


class CollateralUnavailable(Error):
    """The lists cannot be had now; `str()` says why."""


def fetch_collateral(quote: bytes, *, source: str = SOURCE, timeout: float = TIMEOUT) -> str:
    """Return the lists for `quote` as JSON text; raises CollateralUnavailable.

    Only for quotes whose certificates hold: which list is asked for stands in them. They are
    signed, and judged by `hardware.check_tcb`.
    """
    command = [sys.executable, "-m", _CHILD, source]
    try:
        child = subprocess.run(  # noqa: S603
            command, input=quote, capture_output=True, timeout=timeout, env=_environment()
        )
    except subprocess.TimeoutExpired as error:
        raise CollateralUnavailable("Intel's service did not answer in time.") from error
    except OSError as error:
        raise CollateralUnavailable("Intel's service cannot be asked from here.") from error
    if child.returncode != 0:
        raise CollateralUnavailable("Intel's service cannot be reached.")
    return child.stdout.decode("utf-8", "replace")


def _environment() -> dict[str, str]:
    """Ours, with this package on the path also where it is not installed."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
