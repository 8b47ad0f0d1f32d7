# SPDX-License-Identifier: Apache-2.0
"""`offrecord noojee`: one request to a Noojee server by hand, and its signature."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bridges.model import Outcome
from bridges.noojee.answers import TABLE, Case, Request, case_of, unavailable
from noojee import (
    WITHOUT_AGENT,
    Answer,
    ApiKey,
    Exchange,
    Extension,
    NoojeeError,
    NoojeeSyncClient,
    Signed,
    Target,
    UniqueId,
)
from noojee import sign as signature
from offrecord.base.errors import RECORDER_EXITS, Exit, UserError, outcome_exit
from offrecord.base.secrets import SecretError, resolve
from offrecord.cli.options import json_option, print_json

KEY_VARIABLE = "OFFRECORD_NOOJEE_API_KEY"

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def noojee() -> None:
    """Ask a Noojee server by hand: its time, a stop, a start, a signature.

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
    try:
        made = signature(_credentials("signed", api_key, api_key_file).api_key, timestamp)
    except ValueError as error:
        raise UserError(str(error), "give what Time printed", Exit.USAGE) from None
    if as_json:
        print_json({"timeStamp": timestamp, "hash": made})
    else:
        click.echo(made)


@noojee.command()
@_server_options
@json_option
def time(as_json: bool, **server: Any) -> None:
    """Print the server's time in milliseconds; it needs no key."""
    with _client(ApiKey("time-needs-no-key"), server) as client:
        try:
            stamp = client.time()
        except NoojeeError as error:
            raise _user_error(error) from None
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
    login = WITHOUT_AGENT if agent is None else agent
    return _verb(
        "stop",
        options,
        lambda client, target: client.stop(target, agent_login_name=login),
    )


@noojee.command()
@_verb_options
@click.option("--agent", help="The Noojee user who is to own the recording.")
@click.option("--tag", help="The tag to keep with the recording.")
def start(agent: str | None, tag: str | None, **options: Any) -> Exit:
    """Start recording a call. Leaves with 10 when Noojee accepted it: that is no proof."""
    return _verb(
        "start",
        options,
        lambda client, target: client.start(target, agent_login_name=agent, tag=tag),
    )


def _verb(
    request: Request,
    options: dict[str, Any],
    ask: Callable[[NoojeeSyncClient, Target], Answer],
) -> Exit:
    target = _target(options.pop("unique_id"), options.pop("extension"))
    as_json = options.pop("as_json")
    auth = _credentials(options.pop("auth"), options.pop("api_key"), options.pop("api_key_file"))
    with _client(auth, options) as client:
        try:
            answer = ask(client, target)
        except NoojeeError as error:
            if as_json:
                outcome = TABLE[request, case_of(error)].outcome
                print_json(_error_body(request, target, outcome, error))
            raise _user_error(error) from None
        except ValueError as error:
            raise click.UsageError(f"{error}.") from None
    outcome = TABLE[request, Case(answer.kind.value)].outcome
    if as_json:
        print_json(_answer_body(request, target, outcome, answer))
    else:
        code = "no Code" if answer.code is None else f"Code {answer.code}"
        text = f", {answer.message}" if answer.message else ""
        click.echo(f"{request} {target}: {outcome.value} (HTTP {answer.status}, {code}{text})")
    return outcome_exit(outcome)


def _target(unique_id: str | None, extension: str | None) -> Target:
    if (unique_id is None) is (extension is None):
        raise click.UsageError("give either --unique-id or --extension.")
    try:
        return UniqueId(unique_id) if unique_id is not None else Extension(extension or "")
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


def _credentials(auth: str, api_key: str | None, api_key_file: Path | None) -> ApiKey | Signed:
    if api_key is not None and api_key_file is not None:
        raise click.UsageError("give either --api-key or --api-key-file.")
    key = api_key
    if key is None:
        where = {"env": KEY_VARIABLE} if api_key_file is None else {"file": str(api_key_file)}
        try:
            secret = resolve(
                where,
                os.environ,
                Path.cwd(),
                lambda text: click.echo(f"offrecord: {text}", err=True),
            )
        except SecretError as error:
            hint = "" if api_key_file else ", or name a file by --api-key-file"
            raise UserError(f"no API key: {error}{hint}", "", Exit.USAGE) from None
        key = secret.reveal()
    try:
        return Signed(key) if auth == "signed" else ApiKey(key)
    except ValueError as error:
        raise UserError(str(error), "give the key alone", Exit.USAGE) from None


def _client(auth: ApiKey | Signed, server: dict[str, Any]) -> NoojeeSyncClient:
    try:
        return NoojeeSyncClient(
            server["url"],
            auth=auth,
            api_path=server["api_path"],
            ca_file=server["ca_file"],
            plain_http=server["plain_http"],
            timeout=server["timeout"],
        )
    except ValueError as error:
        raise UserError(str(error), "see --help", Exit.USAGE) from None


def _user_error(error: NoojeeError) -> UserError:
    cause, fix = unavailable(error)
    return UserError(error.message, fix, RECORDER_EXITS[cause])


def _answer_body(
    request: Request, target: Target, outcome: Outcome, answer: Answer
) -> dict[str, Any]:
    return {
        "request": request,
        "target": str(target),
        "outcome": outcome.value,
        "kind": answer.kind.value,
        "status": answer.status,
        "code": answer.code,
        "message": answer.message,
        "exchanges": [_exchange_body(one) for one in answer.exchanges],
    }


def _error_body(
    request: Request, target: Target, outcome: Outcome, error: NoojeeError
) -> dict[str, Any]:
    return {
        "request": request,
        "target": str(target),
        "outcome": outcome.value,
        "kind": error.kind.value if error.kind else None,
        "status": error.status,
        "code": error.code,
        "message": error.message,
        "maybe_done": error.maybe_done,
        "exchanges": [_exchange_body(one) for one in error.exchanges],
    }


def _exchange_body(one: Exchange) -> dict[str, Any]:
    return {
        "request": one.request,
        "answer": one.answer,
        "took_ms": round(one.took * 1000, 1),
        "status": one.status,
        "sent": one.sent,
    }
