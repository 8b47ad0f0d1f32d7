# SPDX-License-Identifier: Apache-2.0
"""`offrecord noojee`: the options of one request to a Noojee server; see `noojee_requests`."""

from pathlib import Path
from typing import Any

import click

from offrecord.base.errors import Exit
from offrecord.cli.groups import Group
from offrecord.cli.options import Command, json_option, print_json


@click.group(cls=Group)
def noojee() -> None:
    """Send one request to a Noojee server, or sign one.

    The key is best kept in a file that only you can read (--api-key-file) or in the environment
    (OFFRECORD_NOOJEE_API_KEY): others on this machine can read a command line.
    """


def _key_options(command: Command) -> Command:
    command = click.option(
        "--api-key-file", type=click.Path(path_type=Path, dir_okay=False),
        help="A file that holds the API key.",
    )(command)  # fmt: skip
    return click.option("--api-key", help="The API key itself; others can see it in `ps`.")(command)


def _server_options(command: Command) -> Command:
    for option in (
        click.option("--timeout", default=5.0, show_default=True, type=click.FloatRange(0.01, 600),
                     help="Seconds for the whole of it."),
        click.option("--plain-http", is_flag=True,
                     help="Send key and hash in the clear to another machine."),
        click.option("--api-path", default="/servicemanager/rest", show_default=True,
                     help="The path before CallManagementAPI."),
        click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False),
                     help="The PEM file of the authority that signed the server's certificate."),
        click.option("--url", required=True, help="The server, such as https://noojee.example."),
    ):  # fmt: skip
        command = option(command)
    return command


def _verb_options(command: Command) -> Command:
    for option in (
        json_option,
        click.option("--auth", type=click.Choice(["signed", "api-key"]), default="api-key",
                     show_default=True, help="How to authenticate."),
        click.option("--extension", help="The extension; the wrong call if it has several."),
        click.option("--unique-id", help="The uniqueid of the channel, such as 12347811.214."),
    ):  # fmt: skip
        command = option(command)
    return _server_options(_key_options(command))


@noojee.command()
@_key_options
@click.option("--timestamp", required=True, metavar="MS", help="What the server's Time gave.")
@json_option
def sign(api_key: str | None, api_key_file: Path | None, timestamp: str, as_json: bool) -> None:
    """Print the hash for a timestamp: sha256 of KEY:TIMESTAMP."""
    from offrecord.cli.commands.tools import noojee_requests

    made = noojee_requests.sign(api_key, api_key_file, timestamp)
    if as_json:
        print_json({"timeStamp": timestamp, "hash": made})
    else:
        click.echo(made)


@noojee.command()
@_server_options
@json_option
def time(as_json: bool, **server: Any) -> None:
    """Print the server's time in milliseconds; it needs no key."""
    from offrecord.cli.commands.tools import noojee_requests

    stamp = noojee_requests.time(server)
    if as_json:
        print_json({"url": server["url"], "time": stamp})
    else:
        click.echo(stamp)


@noojee.command()
@_verb_options
@click.option("--agent", help="The Noojee user on whose behalf it is stopped.")
@click.option("--without-agent", is_flag=True, help="Send no agentLoginName, for old servers.")
def stop(agent: str | None, without_agent: bool, **options: Any) -> Exit:
    """Stop the recording of a call. Leaves with 10 when Noojee accepted it: that is no proof."""
    if (agent is None) is not without_agent:
        raise click.UsageError("give either --agent or --without-agent")
    from offrecord.cli.commands.tools import noojee_requests

    return noojee_requests.stop(options, agent)


@noojee.command()
@_verb_options
@click.option("--agent", help="The Noojee user who is to own the recording.")
@click.option("--tag", help="The tag to keep with the recording.")
def start(agent: str | None, tag: str | None, **options: Any) -> Exit:
    """Start recording a call. Leaves with 10 when Noojee accepted it: that is no proof."""
    from offrecord.cli.commands.tools import noojee_requests

    return noojee_requests.start(options, agent, tag)
