# SPDX-License-Identifier: Apache-2.0
"""`offrecord`: the command every other one hangs on, and the one place that prints errors."""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from offrecord import __version__
from offrecord.exits import Exit, UserError

# Name to module and object: a command imports what it needs, and `offrecord resolve` stays quick.
_COMMANDS = {
    "run": ("offrecord.cli.daemon", "run"),
    "check": ("offrecord.cli.daemon", "check"),
    "demo": ("offrecord.cli.demo", "demo"),
    "resolve": ("offrecord.cli.resolve", "resolve"),
    "calls": ("offrecord.cli.calls", "calls"),
    "explain": ("offrecord.cli.calls", "explain"),
    "stop": ("offrecord.cli.calls", "stop"),
    "pause": ("offrecord.cli.calls", "pause"),
    "resume": ("offrecord.cli.calls", "resume"),
    "start": ("offrecord.cli.calls", "start"),
    "objection": ("offrecord.cli.calls", "objection"),
    "ack": ("offrecord.cli.calls", "ack"),
    "presses": ("offrecord.cli.presses", "presses"),
    "show": ("offrecord.cli.presses", "show"),
    "audit": ("offrecord.cli.audit", "audit"),
    "noojee": ("offrecord.cli.noojee", "noojee"),
    "simulate": ("offrecord.cli.simulate", "simulate"),
}

# Since click 8.2 a group called without anything is an error whose text is the whole help.
_NO_ARGUMENTS: tuple[type, ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])
)


class _Commands(click.Group):
    """Finds commands by name and imports them only then."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="offrecord")
def cli() -> None:
    """Stop call recordings from the phone, on whichever platform holds them, with proof."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code; an error is one line on stderr."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        outcome = cli.main(
            list(arguments) if arguments is not None else None,
            prog_name="offrecord",
            standalone_mode=False,
        )
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", 130)
    except click.UsageError as problem:
        return _usage(problem)
    except click.ClickException as problem:
        return _fail(problem.format_message(), problem.exit_code)
    except UserError as problem:
        for line in getattr(problem, "problems", (problem,)):
            _fail(str(line), problem.exit)
        return problem.exit
    except BrokenPipeError:  # `offrecord presses | head` is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as problem:
        if os.environ.get("OFFRECORD_DEBUG"):
            raise
        what = type(problem).__name__
        return _fail(f"a fault in offrecord itself ({what}); run it again with OFFRECORD_DEBUG=1"
                     " and report what that shows", Exit.INTERNAL)  # fmt: skip
    return outcome if isinstance(outcome, int) else Exit.OK


def _usage(problem: click.UsageError) -> int:
    if isinstance(problem, _NO_ARGUMENTS):
        click.echo(problem.format_message(), err=True)
        return Exit.USAGE
    hint = f"see `{problem.ctx.command_path} --help`" if problem.ctx else "see --help"
    return _fail(f"{problem.format_message().rstrip('.')}; {hint}", Exit.USAGE)


def _fail(text: str, code: int) -> int:
    click.echo(f"offrecord: {' '.join(text.split())}", err=True)
    return code
