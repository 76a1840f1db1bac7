from __future__ import annotations

import json

import pytest

from zgcompute import errors
from zgcompute.errors import Error
from zgcompute.refusals import refusal
from zgcompute.serving.problems import problem_of

WHO = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
BALANCE = (
    "validate request: insufficient balance: your locked balance is 1.000000 0G, but the required "
    "minimum is 1.001362 0G (breakdown: ...)"
)


def shown(status: int, said: object) -> tuple[int, str | None]:
    body = json.dumps({"error": said}).encode()
    problem = problem_of(refusal(status, body), provider=WHO, body=body)
    return problem.status, problem.code


@pytest.mark.parametrize(
    ("status", "said", "meant"),
    [
        (400, "validate session: session token expired", (401, "session_expired")),
        (400, "Provider: session token has been revoked", (401, "session_revoked")),
        (400, "validate session: invalid signature length", (401, "session_invalid")),
        (400, BALANCE, (402, "insufficient_balance")),
        (400, "user not acknowledge the provider, please", (403, "signer_not_acknowledged")),
        (400, "model not supported: requested \"x\"", (404, "model_not_found")),
        (410, "model \"x\" is no longer available", (404, "model_not_found")),
        (429, "Rate limit exceeded. Please slow down", (429, "rate_limit_exceeded")),
        (429, {"message": "no room", "code": "token_budget_exceeded"}, (429, "provider_busy")),
        (503, "Server is currently processing too many requests.", (503, "provider_busy")),
        (500, "Internal Server Error", (500, "provider_failed")),
        (400, "This model's maximum context length is 8", (400, "context_length_exceeded")),
        (413, "Request body size exceeds the maximum", (413, "request_too_large")),
    ],
)  # fmt: skip
def test_a_providers_prose_becomes_the_status_that_it_means(
    status: int, said: object, meant: tuple[int, str]
) -> None:
    assert shown(status, said) == meant


def test_openais_own_shape_is_kept_for_errors_of_the_request() -> None:
    said = {"message": "temperature too high", "type": "bad", "code": "hot", "param": "temperature"}
    body = json.dumps({"error": said}).encode()
    error = json.loads(problem_of(refusal(422, body), body=body).body)["error"]
    assert (error["type"], error["code"], error["param"]) == ("bad", "hot", "temperature")
    assert "temperature too high" in error["message"]


def test_no_balance_says_which_command_helps() -> None:
    body = json.dumps({"error": BALANCE}).encode()
    message = problem_of(refusal(400, body), provider=WHO).message
    assert f"0g-compute-cli transfer-fund --provider {WHO} --amount" in message
    assert "0.001362" in message


def test_a_wait_is_said_in_whole_seconds() -> None:
    body = b'{"error":"Rate limit exceeded. Please wait 1.2 seconds"}'
    assert problem_of(refusal(429, body)).headers["retry-after"] == "2"


def test_what_may_be_billed_is_not_repeated_by_openais_clients() -> None:
    problem = problem_of(errors.ProviderTimeout("slow"), may_be_billed=True)
    assert problem.status == 504
    assert problem.headers["x-should-retry"] == "false"
    assert "billed" in problem.message


def test_every_error_has_a_status_of_its_own_kind() -> None:
    def kinds(of: type[Error]) -> list[type[Error]]:
        return [of, *(deeper for kind in of.__subclasses__() for deeper in kinds(kind))]

    assert all(400 <= problem_of(kind("words")).status < 600 for kind in kinds(Error))
