# SPDX-License-Identifier: Apache-2.0
"""`offrecord token`: make, list and revoke the tokens of the HTTP API and the page."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from offrecord.cli.groups import Group
from offrecord.cli.options import (
    Command,
    config_option,
    json_option,
    print_json,
    print_table,
)
from offrecord.web.tokens import SCOPES, Client, Scope, Tokens

_DAY: Final = 86_400


def _shared(command: Command) -> Command:
    file = click.option(
        "--tokens", "file", type=click.Path(path_type=Path, dir_okay=False),
        help="The file of the tokens, when it is not the configured one.",
    )  # fmt: skip
    return config_option(file(json_option(command)))


def _tokens(config_path: Path, file: Path | None) -> Tokens:
    if file is None:
        from offrecord.config import api_tokens

        file = api_tokens(config_path, os.environ)
    return Tokens(file)


def _span(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})d", value)
    if not found:
        raise click.BadParameter("give a number of days such as 90d")
    return int(time.time()) + int(found[1]) * _DAY


@click.group(cls=Group)
def token() -> None:
    """Make, list and revoke the tokens of the HTTP API and the page."""


@token.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it is good for; give it once for each: "
    + "; ".join(f"{scope.value}, {text}" for scope, text in SCOPES.items()) + ".",
)  # fmt: skip
@click.option("--expires", callback=_span, metavar="DAYS", help="When it ends, such as 90d.")
@_shared
def add(
    name: str,
    scopes: tuple[str, ...],
    expires: int | None,
    config_path: Path,
    file: Path | None,
    as_json: bool,
) -> None:
    """Make a token for NAME and print it. It is shown this once, and kept nowhere."""
    made = _tokens(config_path, file).add(name, scopes, expires)
    if as_json:
        print_json({"name": name, "token": made, "scopes": sorted(set(scopes)), "expires": expires})
    else:
        click.echo(made)


@token.command("list")
@_shared
def list_(config_path: Path, file: Path | None, as_json: bool) -> None:
    """List who has a token, and what it is good for."""
    found = _tokens(config_path, file).clients()
    if as_json:
        print_json([_body(one) for one in found])
        return
    if not found:
        click.echo("nobody has a token")
        return
    now = time.time()
    rows = [
        (
            one.name, ", ".join(one.scopes), _date(one.created),
            _date(one.expires) + (" (over)" if one.expired(now) else ""),
        )
        for one in found
    ]  # fmt: skip
    print_table(("name", "scopes", "made", "expires"), rows)


@token.command()
@click.argument("name")
@_shared
def revoke(name: str, config_path: Path, file: Path | None, as_json: bool) -> None:
    """End the token of NAME. It counts from the next request on; open streams end at once."""
    _tokens(config_path, file).revoke(name)
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        click.echo(f"the token of {name} is good for nothing any more")


def _body(one: Client) -> dict[str, object]:
    return {
        "name": one.name, "scopes": list(one.scopes), "created": one.created,
        "expires": one.expires, "expired": one.expired(time.time()),
    }  # fmt: skip


def _date(seconds: int | None) -> str:
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
