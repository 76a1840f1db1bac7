"""Intel's current lists for one quote: the only request here that goes to no provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zgcompute.errors import Error

SOURCE = "https://api.trustedservices.intel.com"
TIMEOUT = 20.0  # seconds for all of its requests together

Fetcher = Callable[[bytes], str]


class CollateralUnavailable(Error):
    """The lists cannot be had now; `str()` says why."""


def fetch_collateral(quote: bytes, *, source: str = SOURCE, timeout: float = TIMEOUT) -> str:
    """Return the lists for `quote` as JSON text; raises CollateralUnavailable.

    Only for quotes whose certificates hold: which list is asked for stands in them. They are
    signed, and judged by `hardware.check_tcb`.
    """
    from dcap_qvl import get_collateral

    async def fetch() -> str:
        collateral = await asyncio.wait_for(get_collateral(source, quote), timeout)
        return str(collateral.to_json())

    try:
        return asyncio.run(fetch())
    except TimeoutError as error:
        raise CollateralUnavailable("Intel's service did not answer in time.") from error
    except (RuntimeError, ValueError, OSError) as error:
        raise CollateralUnavailable("Intel's service cannot be reached.") from error
