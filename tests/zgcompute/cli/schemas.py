"""The JSON of every command as docs/cli.schema.json promises it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_FILE = Path(__file__).parents[3] / "docs/cli.schema.json"
SCHEMAS: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
COMMANDS: dict[str, Any] = SCHEMAS["$defs"]["commands"]


def promised(name: str, value: Any) -> Any:
    """`value`, if it is what the command `name` promises to write with --json."""
    schema = {**SCHEMAS, "$ref": f"#/$defs/commands/{name}"}
    Draft202012Validator(schema).validate(value)
    return value


def name_of(line: str) -> str:
    """The command in a line such as "inference chat --provider 0x1 Hello"."""
    words = line.split()
    return " ".join(words[:2] if words[0] in ("inference", "ui") else words[:1])
