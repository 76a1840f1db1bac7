"""Commands of the tests never see the key, folder or network of whoever runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

VARIABLES = "ZG_PRIVATE_KEY ZG_KEYSTORE_PASSWORD ZG_NETWORK ZG_RPC_ENDPOINT ZG_NETWORKS_FILE"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of settings."""
    for name in VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZG_CONFIG_DIR", str(tmp_path / "settings"))
    return tmp_path / "settings"
