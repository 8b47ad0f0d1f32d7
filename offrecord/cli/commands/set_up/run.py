# SPDX-License-Identifier: Apache-2.0
"""`offrecord run`: the daemon itself."""

import os
from pathlib import Path

import click

from offrecord.base.errors import Exit
from offrecord.cli.options import config_option


@click.command()
@config_option
def run(config_path: Path) -> int:
    """Run the daemon beside the PBX, until SIGTERM or SIGINT.

    SIGHUP makes it read the configuration again.
    """
    import asyncio

    from offrecord.base import logs
    from offrecord.config import Loaded, load
    from offrecord.daemon.daemon import Daemon

    def read() -> Loaded:
        return load(config_path, os.environ)

    loaded = read()
    logs.configure(loaded.config.log.level, loaded.config.log.format, secrets=loaded.secrets)
    asyncio.run(Daemon(loaded, read).run())
    return Exit.OK
