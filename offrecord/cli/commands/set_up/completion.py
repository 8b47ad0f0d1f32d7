# SPDX-License-Identifier: Apache-2.0
"""`offrecord completion`: print the script that a shell reads."""

import click

from offrecord.cli.completion import SHELLS, script


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script with which SHELL completes commands and calls.

    It completes options and their words too. For bash: offrecord completion bash >
    /etc/bash_completion.d/offrecord
    """
    click.echo(script(shell), nl=False)
