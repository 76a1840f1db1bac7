"""How static files are prepared: one stylesheet, hashed names, compressed beside the original."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

_STYLESHEET = "css/site.css"
_IMPORT = re.compile(r'^@import url\("(?P<name>[\w.-]+)"\);$', re.MULTILINE)


class SiteStaticFiles(CompressedManifestStaticFilesStorage):
    """Put the stylesheets that site.css imports into it, so that a page asks for one."""

    support_js_module_import_aggregation = True

    def post_process(
        self, paths: dict[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        if not dry_run and _STYLESHEET in paths:
            self._join_stylesheets()
        yield from super().post_process(paths, dry_run, **options)

    def _join_stylesheets(self) -> None:
        joined = _IMPORT.sub(lambda found: self._text(f"css/{found['name']}"), self._text(_STYLESHEET))
        self.delete(_STYLESHEET)
        self._save(_STYLESHEET, ContentFile(joined.encode()))

    def _text(self, name: str) -> str:
        with self.open(name) as file:
            return str(file.read().decode())
