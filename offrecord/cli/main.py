# SPDX-License-Identifier: Apache-2.0
"""`offrecord`: the command every other one hangs on, and the one place that prints errors."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from offrecord import __version__
from offrecord.base.errors import Exit, UserError
from offrecord.cli.groups import Entry, LazyGroup


def _entry(place: str, name: str, brief: str) -> tuple[str, Entry]:
    return name, Entry(f"offrecord.cli.commands.{place}", name, brief)


# A command takes its help from its own docstring, of which the line here is the first; a test
# compares them. `--help` and completion read this table and import no command.
SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Look": dict([
        _entry("look.calls", "calls", "Show the live calls, their channels, and who records them."),
        _entry("look.top", "top", "Follow live calls, their recorders and presses as they happen."),
        _entry("look.explain", "explain",
               "Show what a press on TARGET would do, and send nothing."),
        _entry("look.presses", "presses", "List presses from the journal, newest first."),
        _entry("look.show", "show", "Show what the journal has of one PRESS, as a time line."),
        _entry("look.resolve", "resolve",
               "Print the extension of each CHANNEL, such as SIP/410-12FA7B."),
    ]),
    "Act": dict([
        _entry("act.press", "stop", "Stop every recording of the call of TARGET."),
        _entry("act.press", "pause", "Pause every recording of the call of TARGET."),
        _entry("act.press", "resume", "Resume the paused recordings of the call of TARGET."),
        _entry("act.press", "start", "Start a recording of the call of TARGET."),
        _entry("act.press", "objection", "Stop every recording of the call of TARGET for good."),
        _entry("act.ack", "ack", "Acknowledge PRESS: its failure tone is repeated no more."),
    ]),
    "Set up": dict([
        _entry("set_up.init", "init", "Set up this machine and its PBX, or undo that."),
        _entry("set_up.run", "run", "Run the daemon beside the PBX, until SIGTERM or SIGINT."),
        _entry("set_up.check", "check",
               "Look at everything the daemon needs, and say what mends it."),
        _entry("set_up.token", "token",
               "Make, list and revoke the tokens of the HTTP API and the page."),
        _entry("set_up.completion", "completion",
               "Print a script with which SHELL completes commands and calls."),
    ]),
    "Prove": dict([
        _entry("prove.audit", "audit", "Prove the journal, export it, seal what is old."),
    ]),
    "Tools": dict([
        _entry("tools.record", "record",
               "Record what the PBX tells into FILE, redacted, until Ctrl-C."),
        _entry("tools.replay", "replay", "Play a capture offline and show its calls and presses."),
        _entry("tools.simulate", "simulate", "Play the server of a vendor until interrupted."),
        _entry("tools.noojee", "noojee", "Send one request to a Noojee server, or sign one."),
    ]),
}  # fmt: skip
"""The commands under the headings of `offrecord --help`. A line fits 80 columns."""

# Since click 8.2 a group called without anything is an error whose text is the whole help.
_NO_ARGUMENTS: tuple[type, ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])
)


@click.command(
    cls=LazyGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]}
)
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
