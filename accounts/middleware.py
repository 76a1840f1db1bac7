"""What every request of a signed-in browser passes through."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from accounts import sign_ins


class SeenBrowsers:
    """Note when a browser was last here, for its wallet's list of sign-ins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sign_ins.see(request)
        return self.get_response(request)
