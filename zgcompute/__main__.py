"""`python -m zgcompute`: the command `0g-compute-cli`, where it is not installed."""

from __future__ import annotations

import sys

from zgcompute.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
