# SPDX-License-Identifier: Apache-2.0
"""`offrecord check`: what the daemon needs, one live call, or one phone's keys."""

import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import click

from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding
from offrecord.cli.options import config_option, json_option, print_json


@click.command()
@config_option
@click.option("--print-config", is_flag=True, help="Print the merged configuration and stop.")
@click.option(
    "--asterisk-etc", "asterisk", envvar="OFFRECORD_ASTERISK_ETC",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where Asterisk's files are; /etc/asterisk unless told.",
)  # fmt: skip
@click.option(
    "--call", "call", metavar="CHANNEL",
    help="Say why a code pressed on this live channel would be taken or not.",
)  # fmt: skip
@click.option(
    "--dtmf", "phone", metavar="ENDPOINT",
    help="Ring this phone, ask for the code, and say what arrived.",
)  # fmt: skip
@click.option("--code", help="With --dtmf: the code to ask for.")
@json_option
def check(
    config_path: Path,
    print_config: bool,
    asterisk: Path | None,
    call: str | None,
    phone: str | None,
    code: str | None,
    as_json: bool,
) -> int:
    """Look at everything the daemon needs, and say what mends it.

    Changes nothing. Leaves with 0 when nothing fails, else with the code of the first thing that
    does. With --dtmf a phone rings, for which the AMI account needs write = originate.
    """
    from offrecord.checks.inputs import Places
    from offrecord.checks.run import check as check_all
    from offrecord.config import load, render

    if call and phone:
        raise click.UsageError("--call and --dtmf do not go together")
    if code and not phone:
        raise click.UsageError("--code needs --dtmf")
    loaded = load(config_path, os.environ)
    if print_config:
        click.echo(render(loaded))
        return Exit.OK
    places = Places(config=config_path, asterisk=asterisk)
    if call:
        from offrecord.checks.live_call import check_call

        found = _run(lambda: check_call(loaded, call, places))
    elif phone:
        from offrecord.checks.phone_test import check_dtmf

        ask = lambda text: click.echo(text, err=True)  # noqa: E731
        found = _run(lambda: check_dtmf(loaded, phone, ask, places, code=code))
    else:
        found = _run(lambda: check_all(loaded, places))
    return _report(found, as_json=as_json)


def _run(look: Callable[[], Coroutine[object, object, list[Finding]]]) -> list[Finding]:
    """Run a check without its log: what the rules would log is in their findings."""
    import asyncio
    import logging

    logging.disable()
    try:
        return asyncio.run(look())
    finally:
        logging.disable(logging.NOTSET)


def _report(found: Sequence[Finding], *, as_json: bool) -> int:
    """Print the findings and return the exit code: that of the first failure."""
    failures = [one for one in found if one.exit != Exit.OK]
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        for one in found:
            click.echo(str(one), err=one in failures)
    return failures[0].exit if failures else Exit.OK
