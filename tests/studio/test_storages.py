"""The disk and an S3 server keep files alike, and both are served by our own safe path."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from accounts.models import Wallet
from accounts.stored import NewFile
from marketplace.models import Service
from studio import files
from studio.models import File, Work
from tests.site_fixture import free_port
from tests.studio import stage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local_server", "storage")]
BUCKET = "works-of-the-site"


@pytest.fixture(scope="module")
def s3_options() -> Iterator[dict[str, str]]:
    """What FILES_OPTIONS would hold for an S3 server (moto's, a process of its own)."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = os.environ | {"MOTO_S3_CUSTOM_ENDPOINTS": f"http://127.0.0.1:{port}"}
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/moto-api/data.json")
        options = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
        options |= {"access_key": "an-id", "secret_key": "a-secret"}
        _make_bucket(options)
        yield options | {"bucket_name": BUCKET}
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("The S3 server did not start.")


def _make_bucket(options: dict[str, str]) -> None:
    import boto3

    keys = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-secret"}
    client = boto3.client("s3", endpoint_url=options["endpoint_url"], **keys)
    client.create_bucket(Bucket=BUCKET)


@pytest.fixture(params=["disk", "s3"])
def storage(request: pytest.FixtureRequest, files: Path, settings: Any) -> None:
    """Both keep the files of one test after the other; the disk is the suite's own."""
    if request.param == "s3":
        own = {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": request.getfixturevalue("s3_options"),
        }
        settings.STORAGES = settings.STORAGES | {"default": own}


@pytest.fixture
def work(alice: Wallet, editor: Service) -> Work:
    return stage.done(stage.order(alice, editor), stage.fake(editor))


def _source(work: Work) -> File:
    assert work.source is not None
    return work.source


def test_what_is_stored_is_read_back_whole_and_in_parts(work: Work) -> None:
    source, content = _source(work), stage.png()
    assert source.read() == content
    assert source.read(4, 7) == content[4:11]
    assert source.size == len(content)


def test_two_identical_files_have_bytes_of_their_own(
    work: Work, alice: Wallet, editor: Service
) -> None:
    other = _source(stage.order(alice, editor))
    assert other.sha256 == _source(work).sha256
    assert files.delete(work)
    assert other.read() == stage.png()


def test_a_deleted_file_is_gone_from_the_storage(work: Work) -> None:
    names = [file.name for file in work.files.all()]
    assert len(names) == 2
    assert files.delete(work)
    assert [default_storage.exists(name) for name in names] == [False, False]


def test_what_gets_no_row_is_not_left_behind() -> None:
    with files.stored(NewFile(b"nobody's", {})) as columns:
        assert default_storage.exists(columns[0]["name"])
    assert not default_storage.exists(columns[0]["name"])


def test_a_missing_file_is_not_found_in_words(work: Work, signed_in: Client) -> None:
    source = _source(work)
    default_storage.delete(source.name)
    with pytest.raises(FileNotFoundError):
        source.read()
    assert signed_in.get(source.get_absolute_url()).status_code == 404


def test_a_work_whose_file_is_missing_ends_in_words_and_costs_nothing(
    alice: Wallet, editor: Service
) -> None:
    work = stage.order(alice, editor)
    default_storage.delete(_source(work).name)
    provider = stage.fake(editor)
    work = stage.done(work, provider)
    assert (work.state, work.may_be_billed, provider.bodies) == ("failed", False, [])
    assert "could not be read" in work.problem


def test_the_browser_gets_the_bytes_from_this_site(work: Work, signed_in: Client) -> None:
    url = _source(work).get_absolute_url()
    whole = signed_in.get(url)
    assert (whole.status_code, whole.content) == (200, stage.png())
    assert whole["X-Content-Type-Options"] == "nosniff"
    part = signed_in.get(url, headers={"Range": "bytes=4-10"})
    assert (part.status_code, part.content) == (206, stage.png()[4:11])
