"""Where the apps are mounted: the network is the first part of every path."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, include, path


def _home(request: HttpRequest) -> HttpResponse:
    from django.conf import settings

    return redirect("marketplace:catalog", settings.DEFAULT_NETWORK)


def _robots(request: HttpRequest) -> HttpResponse:
    """Search engines find the catalog; the rest is somebody's own."""
    own = ("account", "chat", "works", "files")
    rules = "User-agent: *\n" + "".join(f"Disallow: /*/{place}/\n" for place in own)
    return HttpResponse(
        rules, content_type="text/plain", headers={"Cache-Control": "max-age=86400"}
    )


urlpatterns: list[URLPattern | URLResolver] = [
    path("", _home, name="home"),
    path("robots.txt", _robots, name="robots"),
    path("api/v1/", include("marketplace.api_urls")),
    path("<slug:network>/account/", include("accounts.urls")),
    path("<slug:network>/build/", include("accounts.build_urls")),
    path("<slug:network>/chat/", include("chat.urls")),
    path("<slug:network>/", include("studio.urls")),
    path("<slug:network>/", include("marketplace.model_urls")),
    path("<slug:network>/", include("marketplace.urls")),
]
handler404 = "marketplace.problems.not_found"
handler500 = "marketplace.problems.server_error"
