# SPDX-License-Identifier: Apache-2.0
"""One request to a Noojee server by hand: the credentials, the request, and the printed answer."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
from offrecord.base.errors import RECORDER_EXITS, Exit, UserError
from offrecord.base.secrets import SecretError, resolve
from offrecord.cli.options import print_json
from offrecord.model.outcome_codes import EXIT_CODES

KEY_VARIABLE = "OFFRECORD_NOOJEE_API_KEY"


def sign(api_key: str | None, api_key_file: Path | None, timestamp: str) -> str:
    """Return the hash for a timestamp. Raises `UserError` for a key or timestamp that is none."""
    try:
        return signature(_credentials("signed", api_key, api_key_file).api_key, timestamp)
    except ValueError as error:
        raise UserError(str(error), "give what Time printed", Exit.USAGE) from None


def time(server: Mapping[str, Any]) -> str:
    """Return the server's time in milliseconds. Raises `UserError` when it does not tell it."""
    with _client(ApiKey("time-needs-no-key"), server) as client:
        try:
            return client.time()
        except NoojeeError as error:
            raise _user_error(error) from None


def stop(options: dict[str, Any], agent: str | None) -> Exit:
    """Stop the recording of a call on behalf of `agent`, print the answer, return the exit code.

    `options` are those of the command, as `click` names them. Raises `UserError`.
    """
    login = WITHOUT_AGENT if agent is None else agent
    return _send(
        "stop", options, lambda client, target: client.stop(target, agent_login_name=login)
    )


def start(options: dict[str, Any], agent: str | None, tag: str | None) -> Exit:
    """Start recording a call for `agent`, print the answer, return the exit code.

    `options` are those of the command, as `click` names them. Raises `UserError`.
    """
    return _send(
        "start",
        options,
        lambda client, target: client.start(target, agent_login_name=agent, tag=tag),
    )


def _send(
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
    return Exit(EXIT_CODES[outcome])


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


def _client(auth: ApiKey | Signed, server: Mapping[str, Any]) -> NoojeeSyncClient:
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
