"""How static files are prepared: one stylesheet, hashed names, compressed beside the original."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.core.files.base import ContentFile
from servestatic.storage import CompressedManifestStaticFilesStorage

_STYLESHEET = "css/site.css"
_IMPORT = re.compile(r'^@import url\("(?P<name>[\w.-]+)"\);$', re.MULTILINE)


class SiteStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Put the stylesheets that site.css imports into it, so that a page asks for one.

    Imports are rewritten to hashed names in our own modules only: other packages' scripts speak
    of modules in their comments, which would be looked for in vain.
    """

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns = (
        "js/*.js",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
    )

    def post_process(
        self, paths: dict[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        if not dry_run and _STYLESHEET in paths:
            self._join_stylesheets(paths)
            paths = {**paths, _STYLESHEET: (self, _STYLESHEET)}
        yield from super().post_process(paths, dry_run, **options)

    def _join_stylesheets(self, paths: dict[str, Any]) -> None:
        """Join the sources, not what was collected: that may have been joined before."""
        sheet = _source(paths, _STYLESHEET)
        joined = _IMPORT.sub(lambda found: _source(paths, f"css/{found['name']}"), sheet)
        self.delete(_STYLESHEET)
        self._save(_STYLESHEET, ContentFile(joined.encode()))


def _source(paths: dict[str, Any], name: str) -> str:
    storage, path = paths[name]
    with storage.open(path) as file:
        return str(file.read().decode())
