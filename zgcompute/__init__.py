"""A Python SDK for the 0G Compute Network.

`Broker` is the whole of it behind one object; the modules can be used on their own. One
`except zgcompute.Error` catches everything that it raises.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zgcompute._public import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        """Load what is asked for: a command line must not wait for names that it does not use."""
        if not name.startswith("__") and find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
        public = import_module(f"{__name__}._public")
        if name != "__all__" and name not in public.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(public, name)


def __dir__() -> list[str]:
    return sorted(import_module(f"{__name__}._public").__all__)
