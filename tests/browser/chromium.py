"""The browser of the stories: the system's Chromium where there is one."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")
_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # it beeps


def executable() -> str | None:
    """The path of a system Chromium, or None to use the one Playwright downloaded."""
    candidates = (os.environ.get("CHROMIUM", ""), *_NAMES)
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=executable(), args=[*_QUIET, *_MICROPHONE])
