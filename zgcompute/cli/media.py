"""`inference image` and `inference transcribe`: pictures and recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zgcompute.cli.asking import conclude, model_option
from zgcompute.cli.credentials import required_credentials
from zgcompute.cli.output import fee_in_json, safe, say, say_json, verdict_in_json
from zgcompute.cli.place import (
    Place,
    json_option,
    network_options,
    provider_option,
)

if TYPE_CHECKING:
    from zgcompute.pictures import Picture
    from zgcompute.priced_answers import ImageAnswer, Transcript

# What is asked for: the words alone come in JSON, which also states what is billed.
_ASKED_FOR = {"text": "json", "json": "verbose_json", "srt": "srt", "vtt": "vtt"}


@click.command()
@network_options
@provider_option
@model_option
@click.option("-n", "number", type=click.IntRange(1, 64), default=1, help="How many pictures.")
@click.option("--size", default="", metavar="WxH", help="Such as 512x512.")
@click.option(
    "--edit", type=click.Path(dir_okay=False), help="Change this picture instead of a new one."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    help="Where to write it (several: with -1, -2 and so on). Default: a new picture file here.",
)
@json_option
@click.argument("prompt")
def image(
    place: Place,
    provider: str,
    model: str,
    number: int,
    size: str,
    edit: str | None,
    output: str | None,
    as_json: bool,
    prompt: str,
) -> None:
    """Make pictures, or change one.

    They are made of PROMPT; with --edit a picture of yours is changed as PROMPT says. The
    API key of ZG_API_KEY pays, or a session that the wallet signs. Ends with status 5 if the
    signature is of another key or of other pictures; the files are written all the same.

    \b
    0g-compute-cli inference image --provider ADDRESS --output sunrise.png "A sunrise"
    """
    if edit and number != 1:
        raise click.UsageError("With --edit there is one picture: leave out -n.")
    _require_folder(output)
    credentials, choices = required_credentials(), {"model": model, "size": size}
    with place.broker() as broker:
        key = credentials.ready(broker)
        answer = (
            broker.inference.edit(provider, Path(edit), prompt, api_key=key, **choices)
            if edit
            else broker.inference.images(provider, prompt, n=number, api_key=key, **choices)
        )
    files = _written(answer.pictures, output, "edited" if edit else "picture")
    if as_json:
        say_json(_in_json(answer, files))
    else:
        for file in files:
            say(f"Wrote {safe(str(file))}")
    conclude(answer.fee, answer.verdict, as_json=as_json)


@click.command()
@network_options
@provider_option
@model_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_ASKED_FOR)),
    default="text",
    show_default=True,
    help="The words, subtitles, or all that the provider gives.",
)
@click.option("--language", default="", metavar="CODE", help="Of the recording, such as en.")
@json_option
@click.argument("file", type=click.Path(dir_okay=False))
def transcribe(
    place: Place,
    provider: str,
    model: str,
    form: str,
    language: str,
    as_json: bool,
    file: str,
) -> None:
    """Write a recording down.

    The API key of ZG_API_KEY pays, or a session that the wallet signs. Ends with status 5 if the
    signature of the answer is of another key or of other bytes.

    \b
    0g-compute-cli inference transcribe --provider ADDRESS --format srt talk.wav
    """
    credentials = required_credentials()
    with place.broker() as broker:
        key = credentials.ready(broker)
        answer = broker.inference.transcribe(
            provider,
            Path(file),
            response_format=_ASKED_FOR[form],
            language=language,
            model=model,
            api_key=key,
        )
    if as_json:
        say_json(_transcript_in_json(answer, form))
    else:
        words = answer.reply.content if form == "json" else answer.text
        say(safe(words), end="" if words.endswith("\n") else "\n")
    conclude(answer.fee, answer.verdict, as_json=as_json)


def _require_folder(output: str | None) -> None:
    """Notice before anything is paid that there is no place for the picture."""
    if output and not Path(output).parent.is_dir():
        raise click.BadParameter("There is no such folder.", param_hint="--output")


def _written(pictures: Sequence[Picture], output: str | None, stem: str) -> list[Path]:
    if output is None:
        return [_new_file(picture, stem) for picture in pictures]
    paths = [Path(output)] if len(pictures) == 1 else list(_numbered(Path(output), len(pictures)))
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(picture.content)
    return paths


def _numbered(path: Path, most: int) -> Iterator[Path]:
    for number in range(1, most + 1):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _new_file(picture: Picture, stem: str) -> Path:
    """Write a file of a name that is free."""
    for number in count(1):
        path = Path(f"{stem}{f'-{number}' if number > 1 else ''}.{picture.ending}")
        try:
            with path.open("xb") as file:
                file.write(picture.content)
        except FileExistsError:
            continue
        return path
    raise AssertionError("unreachable")


def _in_json(answer: ImageAnswer, files: Sequence[Path]) -> dict[str, object]:
    return {
        "files": [str(file) for file in files],
        "media_types": [picture.media_type for picture in answer.pictures],
        "revised_prompts": [picture.revised_prompt for picture in answer.pictures],
        "response_id": answer.reply.response_id,
        "fee": fee_in_json(answer.fee),
        "verification": verdict_in_json(answer.verdict),
    }


def _transcript_in_json(answer: Transcript, form: str) -> dict[str, object]:
    seconds = answer.reply.seconds
    return {
        "text": answer.text,
        "format": form,
        "language": answer.reply.language,
        "seconds": None if seconds is None else str(seconds),
        "response_id": answer.reply.response_id,
        "fee": fee_in_json(answer.fee),
        "verification": verdict_in_json(answer.verdict),
    }
