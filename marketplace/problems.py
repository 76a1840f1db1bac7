"""One way to say what went wrong and what to do about it: a page, or a fragment for htmx."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.fragments import wants_fragment


def problem(
    request: HttpRequest, message: str, advice: str = "", *, title: str = "", status: int = 400
) -> HttpResponse:
    """Answer with `message` and its remedy; `status` is a real HTTP error status."""
    template = "components/_problem.html" if wants_fragment(request) else "problem.html"
    context = {"title": title or "That did not work", "message": message, "advice": advice}
    return render(request, template, context, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(
        request,
        "There is nothing at this address.",
        "Check the address, or start from the catalog.",
        title="Not found",
        status=404,
    )


def too_large(request: HttpRequest, limit: int) -> HttpResponse:
    return problem(
        request,
        f"What you sent is larger than {limit >> 20} MB, the most that is taken here.",
        "Nothing of it was kept or sent on. Go back and choose a smaller file.",
        title="Too large",
        status=413,
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return problem(
        request,
        "Something broke on our side. What your wallet has sent by then is sent all the same.",
        "Look at your account before you repeat a payment. If it happens again, tell the operator "
        "of this site when it happened.",
        title="Our fault",
        status=500,
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return problem(
        request,
        "This form is too old, or came from another site.",
        "Reload the page and send it again.",
        title="Not accepted",
        status=403,
    )
