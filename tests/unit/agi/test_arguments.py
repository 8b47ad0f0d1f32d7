# SPDX-License-Identifier: Apache-2.0
"""The command line of the one-shot script, as a dialplan writes it."""

import pytest

from agi.arguments import USAGE, Arguments, ArgumentsError
from agi.handover import DEFAULT_SOCKET


def taken(*words: str, **environ: str) -> Arguments:
    arguments = Arguments(environ)
    arguments.take(list(words))
    return arguments


def test_a_verb_alone_has_working_defaults() -> None:
    arguments = taken("stop")

    assert (arguments.verb, arguments.tone, arguments.socket) == ("stop", "beeperr", DEFAULT_SOCKET)
    assert (arguments.wait, arguments.deadline, arguments.interim) == (0.7, 1.2, "")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("STOP",), "verb", "stop"),
        (("stop", "pbx-invalid"), "tone", "pbx-invalid"),
        (("stop", "--tone=x"), "tone", "x"),
        (("stop", "--tone", "x"), "tone", "x"),
        (("stop", "--socket=/run/a.sock"), "socket", "/run/a.sock"),
        (("--socket", "/run/a.sock", "stop"), "socket", "/run/a.sock"),
        (("stop", "--wait=0"), "wait", 0.0),
        (("stop", "--deadline=2.5"), "deadline", 2.5),
        (("stop", "--interim=beep"), "interim", "beep"),
        (("stop", "agent=fred k", "x = y=z"), "options", {"agent": "fred k", "x": "y=z"}),
        (("stop", "", ""), "verb", "stop"),
    ],
)
def test_each_word_changes_what_it_names(words: tuple[str, ...], name: str, value: object) -> None:
    assert getattr(taken(*words), name) == value


def test_the_environment_names_socket_and_tone() -> None:
    arguments = taken("stop", OFFRECORD_SOCKET="/a", OFFRECORD_TONE="b")

    assert (arguments.socket, arguments.tone) == ("/a", "b")


def test_the_command_line_wins_over_the_environment() -> None:
    arguments = taken("stop", "c", "--socket=/d", OFFRECORD_SOCKET="/a", OFFRECORD_TONE="b")

    assert (arguments.socket, arguments.tone) == ("/d", "c")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "no verb"),
        (("agent=fred",), "no verb"),
        (("stop", "beep", "more"), "one word too many: 'more'"),
        (("stop", "--sokcet=/x"), "unknown option '--sokcet'"),
        (("stop", "--socket"), "--socket needs a value"),
        (("stop", "--wait=soon"), "--wait must be a number"),
        (("stop", "--wait=nan"), "--wait must be a number"),
        (("stop", "--deadline=-1"), "--deadline must be a number"),
    ],
)
def test_a_wrong_word_is_named(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ArgumentsError, match=reason):
        taken(*words)


def test_the_usage_names_every_option() -> None:
    for name in ("--socket", "--wait", "--deadline", "--interim", "--tone", "agent="):
        assert name in USAGE
