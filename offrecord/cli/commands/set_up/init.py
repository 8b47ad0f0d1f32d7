# SPDX-License-Identifier: Apache-2.0
"""`offrecord init`: set up a site, or undo it. Its flags; the steps are in `init_steps`."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import click

from offrecord.cli.options import DEFAULT_CONFIG


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; each question has one."""
    for option in reversed([
        click.option("--pbx", type=click.Choice(["plain", "freepbx", "noojee"]),
                     help="The kind of PBX: Asterisk alone, one that FreePBX or Issabel makes, "
                          "or one with Noojee. Found out if not given."),
        click.option("--technology", type=click.Choice(["PJSIP", "SIP"]),
                     help="What the phones are to Asterisk: PJSIP, or SIP for chan_sip."),
        click.option("--code", "codes", multiple=True, metavar="VERB=CODE",
                     help="A code of ours, as stop=*91. May be given again."),
        click.option("--move-codes/--keep-codes", "move", default=None,
                     help="Move Asterisk's transfer codes out of the way, or leave them. "
                          "If not given, only those move that the site has not chosen itself."),
        click.option("--phones", metavar="PATTERN",
                     help="The extensions of the ready-made contexts, as _4XX."),
        click.option("--dialplan/--no-dialplan", default=None,
                     help="Write the ready-made contexts, or none for a dialplan of your own."),
        click.option("--trunk", "trunks", multiple=True, metavar="ENDPOINT",
                     help="An endpoint that is a trunk. May be given again."),
        click.option("--noojee-url", metavar="URL", help="The address of Noojee."),
        click.option("--noojee-agent", metavar="LOGIN",
                     help="The Noojee user for presses that name no agent."),
        click.option("--noojee-auth", type=click.Choice(["api_key", "signed"]),
                     help="The generation of Noojee: signed for older ones."),
        click.option("--noojee-ca-file", metavar="FILE",
                     help="The authority that signed Noojee's certificate."),
        click.option("--noojee-key-file", "key_file",
                     type=click.Path(path_type=Path, exists=True, dir_okay=False),
                     help="A file with Noojee's API key, to be copied."),
        click.option("--ari/--no-ari", "ari", default=None,
                     help="Make an ARI account, which stops what ARI applications record, and "
                          "could also place calls; none if not given."),
        click.option("--account", metavar="NAME", help="The name of the AMI account."),
        click.option("--agi", metavar="HOST:PORT", help="Where the daemon listens for FastAGI."),
        click.option("--unit/--no-unit", default=None,
                     help="Let systemd start the daemon, or write no unit."),
        click.option("--overwrite", is_flag=True,
                     help="Overwrite files of ours that were changed by hand since."),
        click.option("--remove", is_flag=True, help="Undo what init wrote."),
        click.option("--reload", "reload_", is_flag=True,
                     help="Make Asterisk read its files again afterwards."),
        click.option("-y", "--yes", is_flag=True, help="Ask nothing."),
        click.option("-n", "--dry-run", is_flag=True, help="Show every change and make none."),
        click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False),
                     default=Path("/"), envvar="OFFRECORD_ROOT", show_default=True,
                     help="The root folder of the machine to set up."),
        click.option("--asterisk-etc", type=click.Path(path_type=PurePosixPath),
                     default=PurePosixPath("/etc/asterisk"), show_default=True,
                     help="Asterisk's configuration, in that root."),
        click.option("-c", "--config", "config_path", type=click.Path(path_type=PurePosixPath),
                     default=PurePosixPath(DEFAULT_CONFIG), show_default=True,
                     help="Our configuration file, in that root; secrets are kept next to it."),
    ]):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_options
def init(
    root: Path,
    asterisk_etc: PurePosixPath,
    config_path: PurePosixPath,
    *,
    yes: bool,
    dry_run: bool,
    remove: bool,
    reload_: bool,
    **given: Any,
) -> int:
    """Set up this machine and its PBX, or undo that.

    Writes the configuration, the AMI account, codes, dialplan and systemd unit. Asks at a
    terminal, and shows every change of a file before it makes it. It can be run again: what is
    as it should be stays untouched, and secrets are kept.
    """
    root = root.resolve()
    if reload_ and root != Path("/"):
        raise click.UsageError("--reload is for this machine: leave out --root")
    if not (asterisk_etc.is_absolute() and config_path.is_absolute()):
        raise click.UsageError("--asterisk-etc and --config are whole paths in the root folder")
    from offrecord.cli.commands.set_up.init_steps import set_up

    noojee = {name: given.pop(f"noojee_{name}") for name in ("url", "agent", "auth", "ca_file")}
    return set_up(
        root, asterisk_etc, config_path, {"noojee": noojee, **given},
        yes=yes, dry_run=dry_run, remove=remove, reload=reload_,
    )  # fmt: skip
