"""The queue of a site without a server: kombu's folder of files, made safe to read while writing.

kombu writes a message into the very file that a reader may take at once; a reader that was fast
enough finds it empty and stops the whole worker. Here a message appears with its content.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from time import monotonic
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

SCHEME = "folder"


class Channel(filesystem.Channel):
    """Writes each message beside the queue and then renames it into place."""

    def _put(  # type: ignore[override]
        self, queue: str, payload: dict[str, Any], **_: Any
    ) -> None:
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, payload)

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        table = self.get_table(exchange)
        if bound not in table:
            self.control_folder.mkdir(exist_ok=True)
            _write(self._exchange_file(exchange), [bound, *table])  # type: ignore[attr-defined]


def _write(path: Path, content: Any) -> None:
    """Put a whole file in place at once: who looks sees the old one or the new one."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4()}.part")
    try:
        draft.write_text(dumps(content), "utf-8")
        draft.rename(path)
    except OSError as error:
        raise ChannelError(f"The queue folder does not take {path.name}.") from error


class Transport(filesystem.Transport):
    """The transport of broker URLs that begin with folder://"""

    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = "config.queue:Transport"
