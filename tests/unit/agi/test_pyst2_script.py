# SPDX-License-Identifier: Apache-2.0
"""The adapter over pyst2: each trap of it, one test. Asterisk is a pipe with answers in it."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from agi.errors import AgiHangup, AgiInjection, AgiProtocol, AgiRefused
from agi.pyst2_script import PystChannel
from agi.wire import parse_environment

ENVIRONMENT = parse_environment(
    b"agi_channel: SIP/410-1\nagi_uniqueid: 1.2\nagi_calleridname: Jos\xe9"
)


class Pipes:
    """The two pipes between Asterisk and a script, both ends."""

    def __init__(self) -> None:
        self.infd, self.asterisk_writes = os.pipe()
        self.asterisk_reads, self.outfd = os.pipe()
        self.open = {self.infd, self.asterisk_writes, self.asterisk_reads, self.outfd}

    def close(self, *descriptors: int) -> None:
        for descriptor in descriptors or tuple(self.open):
            os.close(descriptor)
            self.open.discard(descriptor)

    def sent(self) -> list[bytes]:
        self.close(self.outfd)
        with os.fdopen(os.dup(self.asterisk_reads), "rb") as stream:
            return stream.read().splitlines()


Channel = Callable[..., PystChannel]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    ends = Pipes()
    try:
        yield ends
    finally:
        ends.close()


@pytest.fixture
def channel(pipes: Pipes) -> Iterator[Channel]:
    """Make a channel whose Asterisk has already written `answers`, and closed, or left it open."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGALRM)}

    def make(answers: bytes, *, closed: bool = True, rest: bytes = b"") -> PystChannel:
        os.write(pipes.asterisk_writes, answers)
        if closed:
            pipes.close(pipes.asterisk_writes)
        return PystChannel(ENVIRONMENT, infd=pipes.infd, outfd=pipes.outfd, rest=rest)

    try:
        yield make
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_command_goes_out_quoted_and_its_answer_is_taken(channel: Channel, pipes: Pipes) -> None:
    made = channel(b"200 result=1\n200 result=0 endpos=3200\n")
    made.execute("SET VARIABLE", "OFFRECORD_OUTCOME", 'a "b" \\c')
    made.execute("STREAM FILE", "my sounds/beep", "")

    assert pipes.sent() == [
        b'SET VARIABLE "OFFRECORD_OUTCOME" "a \\"b\\" \\\\c"',
        b'STREAM FILE "my sounds/beep" ""',
    ]


def test_the_end_of_input_is_a_hangup(channel: Channel) -> None:
    with pytest.raises(AgiHangup):
        channel(b"").execute("VERBOSE", "x", "1")


def test_a_hangup_line_is_skipped_and_the_real_answer_read(channel: Channel) -> None:
    channel(b"HANGUP\n200 result=1\n").execute("VERBOSE", "x", "1")


def test_a_usage_answer_that_never_ends_is_a_hangup_and_no_endless_loop(channel: Channel) -> None:
    with pytest.raises(AgiHangup):
        channel(b"520-Invalid command syntax.\nUsage: X\n").execute("VERBOSE", "x", "1")


def test_a_usage_answer_without_bounds_is_given_up(channel: Channel) -> None:
    with pytest.raises(AgiProtocol):
        channel(b"520-Wrong\n" + b"x\n" * 500).execute("VERBOSE", "x", "1")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"520-Wrong\nUsage: X\n520 End of proper usage.\n", 520),
        (b"510 Invalid or unknown command\n", 510),
        (b"200 result=-1 endpos=0\n", 200),
        (b"503 Not in any book\n", 503),
    ],
)
def test_a_no_is_refused_with_its_code_and_the_channel_stays_usable(
    channel: Channel, answer: bytes, code: int
) -> None:
    made = channel(answer + b"200 result=1\n")

    with pytest.raises(AgiRefused) as caught:
        made.execute("STREAM FILE", "beep", "")
    made.execute("VERBOSE", "x", "1")

    assert (caught.value.command, caught.value.code) == ("STREAM FILE", code)


def test_a_single_line_520_does_not_wait_for_more(channel: Channel) -> None:
    with pytest.raises(AgiRefused):
        channel(b"520 Proper usage not available.\n200 x\n").execute("STREAM FILE", "x", "")


@pytest.mark.parametrize("answer", [b"511 Command Not Permitted\n", b"200 result=1 (hangup)\n"])
def test_a_dead_channel_is_a_hangup(channel: Channel, answer: bytes) -> None:
    with pytest.raises(AgiHangup):
        channel(answer).execute("STREAM FILE", "beep", "")


def test_trying_is_read_over(channel: Channel) -> None:
    channel(b"100 Trying...\n200 result=0\n").execute("STREAM FILE", "beep", "")


def test_a_broken_pipe_is_a_hangup(channel: Channel, pipes: Pipes) -> None:
    made = channel(b"200 result=1\n")
    pipes.close(pipes.asterisk_reads)

    with pytest.raises(AgiHangup):
        made.execute("VERBOSE", "x", "1")


def test_sighup_is_a_hangup_before_the_next_command(channel: Channel, pipes: Pipes) -> None:
    made = channel(b"200 result=1\n")
    os.kill(os.getpid(), signal.SIGHUP)

    with pytest.raises(AgiHangup):
        made.execute("VERBOSE", "x", "1")
    assert pipes.sent() == []


@pytest.mark.parametrize("text", ["a\nHANGUP", "a\rb", "a\0b"])
def test_no_argument_becomes_a_command(channel: Channel, pipes: Pipes, text: str) -> None:
    made = channel(b"200 result=1\n")

    with pytest.raises(AgiInjection):
        made.execute("SET VARIABLE", "X", text)
    assert pipes.sent() == []


def test_an_answer_that_is_not_utf_8_is_taken(channel: Channel) -> None:
    channel(b"200 result=1 (Jos\xe9)\n").execute("GET VARIABLE", "CALLERID(name)")


def test_bytes_read_with_the_environment_are_the_first_answer(channel: Channel) -> None:
    channel(b"ult=1\n", rest=b"200 res").execute("VERBOSE", "x", "1")


def test_nothing_reaches_stderr(channel: Channel, capfd: pytest.CaptureFixture[str]) -> None:
    channel(b"200 result=1\n").execute("VERBOSE", "x", "1")

    assert capfd.readouterr() == ("", "")
