"""Which static files are collected: htmx 2 and our own, not all that other packages offer."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "hx-*.js", "htm*-4*.js", "htmx-2.js"]
