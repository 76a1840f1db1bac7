"""`completion`: what a shell needs to complete the command's words."""

from __future__ import annotations

import click

from zgcompute.cli.output import say, say_json
from zgcompute.cli.place import json_option


@click.command()
@json_option
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Write a shell's completion script.

    \b
    bash, in ~/.bashrc; zsh the same in ~/.zshrc:
    eval "$(0g-compute-cli completion bash)"
    fish:
    0g-compute-cli completion fish > ~/.config/fish/completions/0g-compute-cli.fish
    """
    from click.shell_completion import get_completion_class

    root = context.find_root()
    name = root.command.name or ""
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()  # the name that click looks for
    kind = get_completion_class(shell)
    assert kind is not None  # one of click's own
    script = kind(root.command, {}, name, variable).source()
    if as_json:
        say_json({"shell": shell, "script": script})
    else:
        say(script)
