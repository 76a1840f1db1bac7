from __future__ import annotations

from pathlib import Path

import pytest

from zgcompute import uploads
from zgcompute._fake_media import tiny_png
from zgcompute.errors import InvalidBody
from zgcompute.uploads import Upload, form

PNG = tiny_png("x")


@pytest.mark.parametrize(
    ("content", "media_type", "name"),
    [
        (PNG, "image/png", "picture.png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg", "picture.jpg"),
        (b"RIFF\x01\x02\x03\nWEBPVP8 ", "image/webp", "picture.webp"),
    ],
)
def test_pictures_are_told_by_their_content(content: bytes, media_type: str, name: str) -> None:
    assert Upload.picture(content) == Upload(content, media_type, name)


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        (b"RIFF\x01\x02\x03\nWAVEfmt ", "wav"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90", "mp3"),
        (b"fLaC\0", "flac"),
        (b"OggS\0", "ogg"),
        (b"\0\0\0\x20ftypM4A ", "m4a"),
        (b"\x1aE\xdf\xa3\x01", "webm"),
    ],
)
def test_recordings_are_told_by_their_content(content: bytes, ending: str) -> None:
    assert Upload.recording(content).name == f"recording.{ending}"


@pytest.mark.parametrize("content", [b"<svg/>", b"GIF89a", b"ID3\x04", b"text"])
def test_other_files_are_no_pictures(content: bytes) -> None:
    with pytest.raises(InvalidBody, match="not a picture"):
        Upload.picture(content)


def test_other_files_are_no_recordings() -> None:
    with pytest.raises(InvalidBody, match="not a recording"):
        Upload.recording(PNG)
    with pytest.raises(InvalidBody, match="empty"):
        Upload.recording(b"")


def test_a_path_is_read_and_its_name_does_not_leave(tmp_path: Path) -> None:
    path = tmp_path / "my secret.png"
    path.write_bytes(PNG)
    order = form({}, "image", Upload.picture(str(path)))
    assert PNG in order.body
    assert b"secret" not in order.body


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(InvalidBody, match="cannot be read"):
            Upload.picture(path)


def test_a_file_that_no_provider_takes_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOAD", 100)
    path = tmp_path / "large.png"
    path.write_bytes(PNG + b"\0" * 1000)
    with pytest.raises(InvalidBody, match="larger than"):
        Upload.picture(path)


def test_a_form_is_multipart_as_it_will_be_sent() -> None:
    order = form({"prompt": "Violet, ü", "size": ""}, "image", Upload.picture(PNG))
    boundary = order.content_type.removeprefix("multipart/form-data; boundary=")
    head, first, second, end = order.body.split(f"--{boundary}".encode())
    assert head == b""
    assert first.decode() == (
        '\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nViolet, ü\r\n'
    )
    assert second == (
        b'\r\nContent-Disposition: form-data; name="image"; filename="picture.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n"
    )
    assert end == b"--\r\n"


def test_forms_have_boundaries_of_their_own() -> None:
    upload = Upload.picture(PNG)
    assert form({}, "image", upload).content_type != form({}, "image", upload).content_type


def test_a_form_that_grew_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FORM", 200)
    with pytest.raises(InvalidBody, match="larger"):
        form({"prompt": "x" * 200}, "image", Upload.picture(PNG))
