from __future__ import annotations

from pathlib import Path

import pytest

from tests.zgcompute.cli.desk import PNG, WAV, Desk, json_of, shape
from tests.zgcompute.cli.test_cli_chat import FEE, VERIFICATION
from zgcompute.testing import Fault

PRICE = "Fee: 0.002 0G (2000000000000000 neuron)\nVerification: verified. "


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_picture_is_written_under_a_name_that_is_free(folder: Path) -> None:
    desk = Desk("text-to-image")
    for name in ("picture.png", "picture-2.png", "picture-3.png"):
        result = desk.ask("image", "A sea")
        assert (result.exit_code, result.stdout) == (0, f"Wrote {name}\n")
        assert result.stderr.startswith(PRICE)
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_several_pictures_are_numbered(folder: Path) -> None:
    result = Desk("text-to-image").ask("image", "-n", "2", "--output", "sea.png", "A sea")
    assert result.stdout == "Wrote sea-1.png\nWrote sea-2.png\n"
    assert (folder / "sea-1.png").read_bytes() != (folder / "sea-2.png").read_bytes()


def test_a_picture_of_mine_is_changed(folder: Path) -> None:
    (folder / "mine.png").write_bytes(PNG)
    desk = Desk("image-editing")
    result = desk.ask("image", "--edit", "mine.png", "--size", "64x64", "Violet")
    assert (result.exit_code, result.stdout) == (0, "Wrote edited.png\n")
    assert result.stderr.startswith(PRICE)
    assert PNG in desk.provider.bodies[0]
    assert b"64x64" in desk.provider.bodies[0]
    assert (folder / "mine.png").read_bytes() == PNG


def test_pictures_have_a_stable_json(folder: Path) -> None:
    result = Desk("text-to-image").ask("image", "--json", "A sea")
    assert result.stderr == ""
    assert shape(json_of(result)) == {
        "files": ["str"],
        "media_types": ["str"],
        "revised_prompts": ["str"],
        "response_id": "str",
        "fee": FEE,
        "verification": VERIFICATION,
    }
    assert json_of(result)["files"] == ["picture.png"]


def test_pictures_that_fail_their_check_are_written_and_end_with_5(folder: Path) -> None:
    desk = Desk("text-to-image")
    desk.provider.fault = Fault.TAMPERED_ANSWER
    result = desk.ask("image", "A sea")
    assert result.exit_code == 5
    assert "Verification: failed. " in result.stderr
    assert (folder / "picture.png").exists()


def test_nothing_is_paid_where_the_order_cannot_be_carried_out(folder: Path) -> None:
    (folder / "mine.png").write_bytes(PNG)
    (folder / "page.html").write_text("<html>")
    painter, editor = Desk("text-to-image"), Desk("image-editing")
    for result in (
        painter.ask("image", "--output", "nowhere/sea.png", "A sea"),
        painter.ask("image", "-n", "0", "A sea"),
        editor.ask("image", "--edit", "mine.png", "-n", "2", "Violet"),
        editor.ask("image", "--edit", "page.html", "Violet"),
        editor.ask("image", "--edit", "none.png", "Violet"),
        painter.ask("image", "A sea", key=None),
    ):
        assert result.exit_code == 2, result.output
    assert painter.provider.bodies == editor.provider.bodies == []


def test_another_kind_of_provider_is_refused(folder: Path) -> None:
    result = Desk("chatbot").ask("image", "A sea")
    assert result.exit_code == 3
    assert "Choose a provider of text-to-image" in result.stderr


def test_a_file_that_cannot_be_written_ends_with_1(folder: Path) -> None:
    (folder / "taken").mkdir()
    desk = Desk("text-to-image")
    result = desk.ask("image", "-n", "2", "--output", "taken.png", "A sea")
    assert result.exit_code == 0
    (folder / "sea-1.png").mkdir()
    result = desk.ask("image", "-n", "2", "--output", "sea.png", "A sea")
    assert result.exit_code == 1
    assert "sea-1.png: Is a directory" in result.stderr


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ([], "Good morning.\n"),
        (["--format", "text"], "Good morning.\n"),
        (["--format", "srt"], "1\n00:00:00,000 --> 00:00:03,000\nGood morning.\n"),
        (["--format", "vtt"], "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nGood morning.\n"),
    ],
)
def test_a_recording_is_written_down(folder: Path, options: list[str], output: str) -> None:
    (folder / "talk.wav").write_bytes(WAV)
    desk = Desk("speech-to-text")
    desk.provider.answer = "Good morning."
    result = desk.ask("transcribe", *options, "talk.wav")
    assert (result.exit_code, result.stdout) == (0, output)
    assert result.stderr.startswith("Fee: 0.003 0G (3000000000000000 neuron)\nVerification: veri")


def test_the_providers_own_json_of_a_recording_is_passed_on(folder: Path) -> None:
    (folder / "talk.wav").write_bytes(WAV)
    desk = Desk("speech-to-text")
    found = json_of(desk.ask("transcribe", "--format", "json", "talk.wav"))
    assert (found["text"], found["duration"]) == (desk.provider.answer, 3.0)


def test_transcripts_have_a_stable_json(folder: Path) -> None:
    (folder / "talk.wav").write_bytes(WAV)
    desk = Desk("speech-to-text")
    result = desk.ask("transcribe", "--json", "--language", "en", "talk.wav")
    assert shape(json_of(result)) == {
        "text": "str",
        "format": "str",
        "language": "str",
        "seconds": "str",
        "response_id": "str",
        "fee": FEE,
        "verification": VERIFICATION,
    }
    assert b"\r\n\r\nen\r\n" in desk.provider.bodies[0]


def test_a_transcript_that_fails_its_check_ends_with_5(folder: Path) -> None:
    (folder / "talk.wav").write_bytes(WAV)
    desk = Desk("speech-to-text")
    desk.provider.fault = Fault.WRONG_SIGNER
    assert desk.ask("transcribe", "talk.wav").exit_code == 5


@pytest.mark.parametrize("arguments", [["page.html"], ["none.wav"], ["--format", "doc", "a.wav"]])
def test_what_is_no_recording_is_not_sent(folder: Path, arguments: list[str]) -> None:
    (folder / "page.html").write_text("<html>")
    desk = Desk("speech-to-text")
    assert desk.ask("transcribe", *arguments).exit_code == 2
    assert desk.provider.bodies == []


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.RESERVE, Fault.DISCONNECT])
def test_the_key_is_in_no_failure_of_pictures_and_recordings(folder: Path, fault: Fault) -> None:
    (folder / "talk.wav").write_bytes(WAV)
    (folder / "mine.png").write_bytes(PNG)
    for kind, name, arguments in (
        ("text-to-image", "image", ["A sea"]),
        ("image-editing", "image", ["--edit", "mine.png", "Violet"]),
        ("speech-to-text", "transcribe", ["talk.wav"]),
    ):
        desk = Desk(kind)
        desk.provider.fault = fault
        result = desk.ask(name, *arguments)
        assert result.exit_code in (3, 4)
        assert desk.api_key not in result.output + repr(result.exception)
