"""What a provider says of a job, in the forms of its builds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zgcompute.errors import MalformedReply, ProviderRefused
from zgcompute.jobs import offers_no_jobs, parse_job
from zgcompute.refusals import refusal

DATA = {"created": 1, "data": [{"b64_json": "AA=="}]}


def _body(**keys: Any) -> bytes:
    return json.dumps({"jobId": "a-1", "status": "pending", **keys}).encode()


def test_an_open_job_has_no_reply() -> None:
    job = parse_job(_body(data=DATA), key="")
    assert (job.job_id, job.is_open, job.reply) == ("a-1", True, b"")


@pytest.mark.parametrize("data", [DATA, json.dumps(DATA)])
def test_a_completed_job_holds_its_reply_as_object_or_text(data: object) -> None:
    job = parse_job(_body(status="completed", data=data), key="res")
    assert not job.is_open
    assert json.loads(job.reply) == DATA
    assert job.response_id == "res"


def test_a_failed_job_says_why() -> None:
    assert parse_job(_body(status="failed", errorMessage="no GPU"), key="").error == "no GPU"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", _body(jobId="../x"), _body(jobId=5), _body(status="done")],
)
def test_anything_else_is_no_job(body: bytes) -> None:
    with pytest.raises(MalformedReply):
        parse_job(body, key="")


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (404, "not found", True),
        (501, "", True),
        (503, "async processing is not enabled", True),
        (503, "async job queue is full, please try again later", False),
        (400, "session token expired", False),
    ],
)
def test_only_the_lack_of_jobs_is_one(status: int, words: str, expected: bool) -> None:
    error = refusal(status, json.dumps({"error": words}).encode())
    assert isinstance(error, ProviderRefused)
    assert offers_no_jobs(error) is expected
