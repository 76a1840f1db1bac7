"""The process behind `collateral.fetch_collateral`: a quote comes in, Intel's lists go out."""

from __future__ import annotations

import asyncio
import os
import sys

from zgcompute.attestation.quotes import MAX_QUOTE


def main() -> int:
    """Read a quote from standard input and write its lists; return the exit status."""
    from dcap_qvl import get_collateral

    async def fetch(quote: bytes) -> str:
        return str((await get_collateral(sys.argv[1], quote)).to_json())

    try:
        lists = asyncio.run(fetch(sys.stdin.buffer.read(MAX_QUOTE)))
    except (RuntimeError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.write(lists)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for the client's threads: see `collateral`
