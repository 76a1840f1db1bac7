"""Reading environment variables loudly: a wrong value stops the start and names the variable."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def env_text(name: str, default: str = "") -> str:
    """Return the variable, or `default` where it is missing or blank."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    text = env_text(name, str(default)).lower()
    if text not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name} must be one of 1, 0, true, false; it is {text!r}.")
    return text in _TRUE


def env_int(name: str, default: int) -> int:
    text = env_text(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {text!r}.") from None


def env_json(name: str, default: dict[str, Any]) -> dict[str, Any]:
    text = env_text(name)
    try:
        value = json.loads(text) if text else default
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f"{name} must be a JSON object.")
    return value


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in env_text(name, default).split(",") if part.strip()]


def env_secret(name: str, *, fallback: Path | None) -> str:
    """Return the secret in `name`, or in the file that `name`_FILE names.

    Where neither is set, keep one in the file `fallback` (made on first use, readable by its
    owner only); with no fallback, refuse to start.
    """
    if value := env_text(name):
        return value
    if path := env_text(f"{name}_FILE"):
        return _read(name, Path(path))
    if fallback is None:
        raise ImproperlyConfigured(f"{name} (or {name}_FILE) must be set.")
    if not fallback.exists():
        _write_once(fallback, secrets.token_urlsafe(48))
    return _read(name, fallback)


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: {path} cannot be read: {error.strerror}.") from error


def _write_once(path: Path, value: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(value, "utf-8")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process of the same start was faster: its value counts
    finally:
        draft.unlink()
