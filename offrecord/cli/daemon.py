# SPDX-License-Identifier: Apache-2.0
"""`offrecord run`, the daemon itself, and `offrecord check`, which tries what it would need."""

import asyncio
import os
from dataclasses import asdict
from pathlib import Path

import click

from offrecord.cli.options import config_option, json_option, print_json
from offrecord.exits import Exit


@click.command()
@config_option
def run(config_path: Path) -> int:
    """Run the daemon beside the PBX, until SIGTERM or SIGINT.

    SIGHUP has it read the configuration again.
    """
    from offrecord import logs
    from offrecord.config import Loaded, load
    from offrecord.daemon import Daemon

    def read() -> Loaded:
        return load(config_path, os.environ)

    loaded = read()
    logs.configure(loaded.config.log.level, loaded.config.log.format, secrets=loaded.secrets)
    asyncio.run(Daemon(loaded, read).run())
    return Exit.OK


@click.command()
@config_option
@click.option("--print-config", is_flag=True, help="Print the merged configuration and stop.")
@json_option
def check(config_path: Path, print_config: bool, as_json: bool) -> int:
    """Try the configuration: the PBX and its account, then every recorder. Changes nothing.

    Leaves with 0 when all is well, else with the code of the first thing that is not.
    """
    import logging

    from offrecord.check import checks
    from offrecord.config import load, render

    loaded = load(config_path, os.environ)
    if print_config:
        click.echo(render(loaded))
        return Exit.OK
    logging.disable()  # what the parts would log is in the report
    try:
        found = asyncio.run(checks(loaded))
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            mark = "FAIL" if not one.ok else "warn" if one.warning else "ok  "
            click.echo(f"{mark}  {one.what}: {one.text}", err=not one.ok)
    return next((one.exit for one in found if not one.ok), Exit.OK)
