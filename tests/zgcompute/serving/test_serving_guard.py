"""Who may use the server, without a provider behind it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from zgcompute.serving.app import Settings, application
from zgcompute.serving.guard import Guard, is_loopback

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
KEY = "0123456789abcdef"
PAGE = "https://page.example"


def asking(path: str = "/v1/models", method: str = "GET", **options: Any) -> Any:
    headers = options.pop("headers", {})
    guard = Guard(application(lambda: ([], []), Settings()), **{"only_local": True, **options})
    with TestClient(guard, base_url="http://127.0.0.1:3000") as client:
        return client.request(method, path, headers=headers)


def code(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_local_names_are_answered() -> None:
    for host in ("127.0.0.1:3000", "localhost", "[::1]:3000"):
        assert asking(headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.4:3000", "["]
)
def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    assert code(asking(headers={"host": host})) == (403, "foreign_host")


def test_a_page_of_another_origin_is_refused_without_cors() -> None:
    for origin in (PAGE, "null", "http://localhost:8080"):
        reply = asking(headers={"origin": origin})
        assert code(reply) == (403, "foreign_origin")
        assert "access-control-allow-origin" not in reply.headers


def test_an_origin_that_was_allowed_may_read_answers() -> None:
    reply = asking(headers={"origin": PAGE}, origins=[PAGE])
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "zg-verification" in reply.headers["access-control-expose-headers"]
    assert asking(method="OPTIONS", headers={"origin": PAGE}, origins=[PAGE]).status_code == 204


def test_the_servers_own_origin_is_no_stranger() -> None:
    assert asking(headers={"origin": "http://127.0.0.1:3000"}).status_code == 200


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer ", f"Bearer {KEY}x", "Bearer é"])
def test_where_there_is_a_key_nothing_goes_without_it(given: str) -> None:
    headers = {"authorization": given.encode()} if given else {}
    reply = asking(headers=headers, key=KEY)
    assert code(reply) == (401, "invalid_api_key")
    assert KEY not in reply.text


def test_the_key_opens_it_and_health_needs_none() -> None:
    assert asking(headers={"authorization": f"Bearer {KEY}"}, key=KEY).status_code == 200
    assert asking("/healthz", key=KEY).json() == {"status": "ok"}


def test_with_a_key_it_may_be_called_by_any_name() -> None:
    headers = {"host": "box.example", "authorization": f"Bearer {KEY}"}
    assert asking(headers=headers, key=KEY, only_local=False).status_code == 200


def test_what_is_not_there_is_said_in_openais_shape() -> None:
    assert code(asking("/v1/embeddings", "POST")) == (404, "unknown_url")
    assert code(asking("/v1/chat/completions")) == (405, "unknown_url")
    assert code(asking("/v1/verify", "POST")) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("192.168.1.4", False), ("box.example", False)],
)
def test_which_hosts_only_this_machine_reaches(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here
