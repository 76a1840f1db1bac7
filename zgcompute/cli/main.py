"""`0g-compute-cli`: the network from a shell and from scripts.

Answers go to standard output; everything about them (fee, verification, progress, errors) goes to
standard error.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from zgcompute import __version__
from zgcompute.cli import (
    api_keys,
    asking,
    balances,
    completion,
    evidence,
    listing,
    login,
    media,
    moves,
    network,
    offering,
    serving,
    verifying,
    web,
)
from zgcompute.cli.failures import Commands
from zgcompute.cli.output import may_colour

NAME = "0g-compute-cli"
_EXITS = """\b
Exit status:
  0 done                     3 refused by the chain or the provider
  1 failed                   4 unreachable
  2 wrong use or setting     5 a verification failed"""


@click.group(
    NAME,
    cls=Commands,
    aliases={"inf": "inference", "web-ui": "ui"},
    epilog=_EXITS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=NAME)
@click.pass_context
def command(context: click.Context) -> None:
    """The 0G Compute Network: providers, answers and their proofs, and your funds."""
    context.color = may_colour()


@click.group(cls=Commands)
def inference() -> None:
    """Providers and their answers (alias: inf)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know every character
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name=NAME)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


for _command in (
    login.setup_network,
    network.show_network,
    login.login,
    login.logout,
    login.status,
    balances.get_account,
    balances.get_sub_account,
    moves.add_account,
    moves.deposit,
    moves.transfer_fund,
    moves.retrieve_fund,
    moves.refund,
    inference,
    web.ui,
    evidence.verify_evidence,
    completion.completion,
):
    command.add_command(_command)
for _subcommand in (
    listing.list_providers,
    listing.list_providers_detail,
    listing.get_models,
    verifying.verify,
    verifying.download_report,
    evidence.verify_evidence,
    asking.chat,
    media.image,
    media.transcribe,
    balances.usage,
    api_keys.acknowledge_provider,
    api_keys.get_secret,
    api_keys.revoke_token,
    api_keys.revoke_all_tokens,
    serving.serve,
    serving.router_serve,
    offering.update_service,
    offering.remove_service,
):
    inference.add_command(_subcommand)
