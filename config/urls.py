"""Where the apps are mounted: the network is the first part of every path."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, include, path


def _home(request: HttpRequest) -> HttpResponse:
    from django.conf import settings

    return redirect("marketplace:catalog", settings.DEFAULT_NETWORK)


urlpatterns: list[URLPattern | URLResolver] = [
    path("", _home, name="home"),
    path("<slug:network>/account/", include("accounts.urls")),
    path("<slug:network>/build/", include("accounts.build_urls")),
    path("<slug:network>/chat/", include("chat.urls")),
    path("<slug:network>/", include("marketplace.urls")),
]
handler404 = "marketplace.problems.not_found"
handler500 = "marketplace.problems.server_error"
