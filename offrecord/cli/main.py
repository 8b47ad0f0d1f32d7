# SPDX-License-Identifier: Apache-2.0
"""`offrecord`: the command every other one hangs on, and the one place that prints errors."""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from offrecord import __version__
from offrecord.base.errors import Exit, UserError

# Name to module and object: a command imports what it needs, and `offrecord resolve` stays quick.
_COMMANDS = {
    "init": ("offrecord.cli.commands.set_up.init", "init"),
    "run": ("offrecord.cli.commands.set_up.run", "run"),
    "check": ("offrecord.cli.commands.set_up.check", "check"),
    "resolve": ("offrecord.cli.commands.look.resolve", "resolve"),
    "calls": ("offrecord.cli.commands.look.calls", "calls"),
    "top": ("offrecord.cli.commands.look.top", "top"),
    "explain": ("offrecord.cli.commands.look.calls", "explain"),
    "stop": ("offrecord.cli.commands.look.calls", "stop"),
    "pause": ("offrecord.cli.commands.look.calls", "pause"),
    "resume": ("offrecord.cli.commands.look.calls", "resume"),
    "start": ("offrecord.cli.commands.look.calls", "start"),
    "objection": ("offrecord.cli.commands.look.calls", "objection"),
    "ack": ("offrecord.cli.commands.look.calls", "ack"),
    "presses": ("offrecord.cli.commands.look.presses", "presses"),
    "show": ("offrecord.cli.commands.look.presses", "show"),
    "audit": ("offrecord.cli.commands.prove.audit", "audit"),
    "noojee": ("offrecord.cli.commands.tools.noojee", "noojee"),
    "token": ("offrecord.cli.commands.set_up.token", "token"),
    "record": ("offrecord.cli.commands.tools.record", "record"),
    "replay": ("offrecord.cli.commands.tools.record", "replay"),
    "simulate": ("offrecord.cli.commands.tools.simulate", "simulate"),
    "completion": ("offrecord.cli.completion", "completion"),
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names without importing any command: their help is not worth a second."""
        names = [CompletionItem(name) for name in _COMMANDS if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and name the nearest one when there is none like that."""
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="offrecord")
def cli() -> None:
    """Stop call recordings from the phone, on whichever platform holds them, with proof."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code; an error is one line on stderr."""
    sys.exit(run(cli, arguments))


def run(command: click.Command, arguments: Sequence[str] | None, name: str = "offrecord") -> int:
    """Run a command and return its exit code; an error is one line on stderr."""
    try:
        outcome = command.main(
            list(arguments) if arguments is not None else None,
            prog_name=name,
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
