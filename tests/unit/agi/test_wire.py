# SPDX-License-Identifier: Apache-2.0
"""The AGI wire format: environment, commands and answers, as tables."""

import pytest

from agi.errors import AgiInjection, AgiProtocol
from agi.wire import (
    MAX_COMMAND,
    MAX_ENVIRONMENT,
    MAX_ENVIRONMENT_LINES,
    MAX_REPLY_LINE,
    MAX_STRAY_LINES,
    EnvironmentBuffer,
    LineBuffer,
    Reply,
    ReplyReader,
    command,
    parse_environment,
    parse_reply,
    printable,
    quote,
)

# As Asterisk 22 wrote it for a feature on a PJSIP channel.
REAL = b"""\
agi_network: yes
agi_network_script: stop
agi_request: agi://127.0.0.1:4573/stop
agi_channel: PJSIP/410-00000002
agi_language: en
agi_type: PJSIP
agi_uniqueid: 1700000000.7
agi_version: 22.10.1
agi_callerid: 411
agi_calleridname: Anna: reception
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 410
agi_rdnis: unknown
agi_context: internal
agi_extension: 410
agi_priority: 1
agi_enhanced: 0.0
agi_accountcode:\x20
agi_threadid: 140234
agi_arg_1: agent=fred
agi_arg_2:\x20
"""


def minimal(*lines: bytes) -> bytes:
    return b"\n".join([b"agi_channel: SIP/410-1", b"agi_uniqueid: 1.2", *lines])


class TestEnvironment:
    def test_a_real_one_is_read_whole(self) -> None:
        environment = parse_environment(REAL)

        assert environment.channel == "PJSIP/410-00000002"
        assert environment.uniqueid == "1700000000.7"
        assert environment.arguments == ("agent=fred", "")
        assert environment.get("agi_calleridname") == "Anna: reception"

    def test_unknown_and_missing_values_are_empty(self) -> None:
        environment = parse_environment(REAL)

        assert environment.get("agi_rdnis") == ""
        assert environment.get("agi_accountcode") == ""
        assert environment.get("agi_nothing_of_that_name") == ""

    def test_a_latin_1_caller_name_is_replaced_and_does_no_harm(self) -> None:
        environment = parse_environment(minimal(b"agi_calleridname: Jos\xe9"))

        assert environment.get("agi_calleridname") == "Jos\ufffd"

    @pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
    def test_only_a_newline_ends_a_line(self, separator: str) -> None:
        name = f"a{separator}agi_context: forged"
        environment = parse_environment(minimal(f"agi_calleridname: {name}".encode()))

        assert environment.get("agi_context") == ""

    @pytest.mark.parametrize(
        ("block", "reason"),
        [
            (b"", "no agi_channel"),
            (b"GET / HTTP/1.1\r\nHost: pbx", "no agi_channel"),
            (b"agi_channel: SIP/410-1", "no agi_uniqueid"),
            (b"agi_channel:\nagi_uniqueid: 1.2", "no agi_channel"),
            (b"agi_channel: SIP/\x00410\nagi_uniqueid: 1.2", "control character"),
            (minimal() + b"\nagi_x: 1" * MAX_ENVIRONMENT_LINES, "lines"),
            (minimal(b"agi_x: " + b"1" * MAX_ENVIRONMENT), "bytes"),
        ],
    )
    def test_what_is_no_environment_is_refused(self, block: bytes, reason: str) -> None:
        with pytest.raises(AgiProtocol, match=reason):
            parse_environment(block)


class TestForgedByCallerName:
    """A caller name that carries newlines, as a dialplan with URIDECODE can make one."""

    def test_it_cannot_rename_the_channel(self) -> None:
        block = minimal(b"agi_calleridname: x", b"agi_channel: SIP/1-1", b"agi_uniqueid: 6.6")
        environment = parse_environment(block)

        assert (environment.channel, environment.uniqueid) == ("SIP/410-1", "1.2")

    def test_it_cannot_add_an_argument(self) -> None:
        block = minimal(
            b"agi_calleridname: x", b"agi_arg_1: agent=evil", b"agi_context: a", b"agi_arg_1: fred"
        )

        assert parse_environment(block).arguments == ("fred",)


class TestEnvironmentBuffer:
    def test_bytes_after_the_environment_are_kept(self) -> None:
        buffer = EnvironmentBuffer()

        assert buffer.feed(minimal() + b"\n\nHANGUP\n") is not None
        assert buffer.rest == b"HANGUP\n"

    def test_carriage_returns_are_tolerated(self) -> None:
        environment = EnvironmentBuffer().feed(minimal().replace(b"\n", b"\r\n") + b"\r\n\r\n")

        assert environment is not None
        assert environment.uniqueid == "1.2"

    def test_it_stops_growing_at_its_limit(self) -> None:
        buffer = EnvironmentBuffer()
        buffer.feed(b"a" * MAX_ENVIRONMENT)

        with pytest.raises(AgiProtocol, match="bytes"):
            buffer.feed(b"a")

    def test_an_empty_environment_is_refused_at_once(self) -> None:
        with pytest.raises(AgiProtocol, match="no agi_channel"):
            EnvironmentBuffer().feed(b"\n")


class TestCommand:
    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (("VERBOSE", "hello", "1"), b'VERBOSE "hello" "1"\n'),
            (("STREAM FILE", "beep", ""), b'STREAM FILE "beep" ""\n'),
            (("SET VARIABLE", "A B", 'say "hi"'), b'SET VARIABLE "A B" "say \\"hi\\""\n'),
            (("VERBOSE", "C:\\x\\", "1"), b'VERBOSE "C:\\\\x\\\\" "1"\n'),
            (("VERBOSE", "José", "1"), 'VERBOSE "José" "1"\n'.encode()),
            (("VERBOSE", "\udce9", "1"), b'VERBOSE "?" "1"\n'),
            (("NOOP",), b"NOOP\n"),
        ],
    )
    def test_arguments_are_quoted(self, words: tuple[str, ...], line: bytes) -> None:
        assert command(*words) == line

    @pytest.mark.parametrize("char", ["\n", "\r", "\0", "\t", "\x1b", "\x7f"])
    def test_control_characters_are_refused_everywhere(self, char: str) -> None:
        for words in ((f"VERBOSE{char}",), ("VERBOSE", f"a{char}HANGUP"), ("NOOP", "a", char)):
            with pytest.raises(AgiInjection):
                command(*words)

    def test_the_refused_text_is_not_in_the_error(self) -> None:
        with pytest.raises(AgiInjection) as caught:
            quote("4111111111111111\n")

        assert "4111" not in str(caught.value)

    def test_a_line_longer_than_asterisk_reads_is_refused(self) -> None:
        overhead = len(command("VERBOSE", ""))

        assert len(command("VERBOSE", "a" * (MAX_COMMAND - overhead))) == MAX_COMMAND
        with pytest.raises(AgiInjection):
            command("VERBOSE", "a" * (MAX_COMMAND - overhead + 1))

    def test_printable_makes_any_text_fit_for_a_line(self) -> None:
        assert printable("two\r\nlines\x00") == "two  lines "
        assert len(printable("é" * 5000)) == 400
        assert command("VERBOSE", printable('\\"\n' * 5000))


class TestReply:
    @pytest.mark.parametrize(
        ("line", "code", "result", "data"),
        [
            (b"200 result=0", 200, "0", ""),
            (b"200 result=1 (a value)", 200, "1", "a value"),
            (b"200 result=1 (a (b) c)", 200, "1", "a (b) c"),
            (b"200 result=1 (hangup)", 200, "1", "hangup"),
            (b"200 result=0 endpos=8000", 200, "0", ""),
            (b"200 result=-1 endpos=0", 200, "-1", ""),
            (b"200 result=", 200, "", ""),
            (b"200 result=1 ()", 200, "1", ""),
            (b"200 result=1 )(", 200, "1", ""),
            (b"510 Invalid or unknown command", 510, "", ""),
            (b"511 Command Not Permitted on a dead channel or intercept routine", 511, "", ""),
            (b"520 Invalid command syntax.  Proper usage not available.", 520, "", ""),
            (b"200", 200, "", ""),
        ],
    )
    def test_one_line_answers(self, line: bytes, code: int, result: str, data: str) -> None:
        reply = parse_reply(line)

        assert (reply.code, reply.result, reply.data) == (code, result, data)

    @pytest.mark.parametrize("line", [b"", b"HANGUP", b"20", b"2000 x", b"200x", b"abc result=1"])
    def test_a_line_without_a_code_is_no_answer(self, line: bytes) -> None:
        with pytest.raises(AgiProtocol):
            parse_reply(line)

    def test_the_repr_shows_the_answer(self) -> None:
        assert repr(parse_reply(b"200 result=1 (x)")) == "Reply(200, 'result=1 (x)')"


class TestReplyReader:
    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            ([b"200 result=0"], 200),
            ([b"100 Trying...", b"200 result=0"], 200),
            ([b"100 Trying...", b"100 Trying...", b"510 Invalid"], 510),
            ([b"HANGUP", b"511 Command Not Permitted"], 511),
            ([b"agi_arg_1: forged", b"", b"200 result=1"], 200),
            ([b"520 Invalid command syntax.  Proper usage not available."], 520),
            ([b"520-Invalid", b"Usage: X", b"200 result=0", b"520 End of proper usage."], 520),
        ],
    )
    def test_the_answer_is_found_among_other_lines(self, lines: list[bytes], code: int) -> None:
        reader = ReplyReader()
        replies = [reader.take(line) for line in lines]

        assert replies[:-1] == [None] * (len(lines) - 1)
        assert isinstance(replies[-1], Reply)
        assert replies[-1].code == code

    def test_a_usage_answer_carries_its_lines(self) -> None:
        reader = ReplyReader()
        reader.take(b"520-Invalid command syntax.")
        reader.take(b"Usage: STREAM FILE")
        reply = reader.take(b"520 End of proper usage.")

        assert reply is not None
        assert reply.text.splitlines()[1] == "Usage: STREAM FILE"

    def test_a_hangup_line_is_noted(self) -> None:
        reader = ReplyReader()
        reader.take(b"HANGUP")

        assert reader.hung_up

    @pytest.mark.parametrize("line", [b"100 Trying...", b"noise", b"HANGUP", b"520-Usage"])
    def test_endless_lines_are_given_up(self, line: bytes) -> None:
        reader = ReplyReader()
        for _ in range(MAX_STRAY_LINES):
            assert reader.take(line) is None

        with pytest.raises(AgiProtocol, match="without an answer"):
            reader.take(line)


class TestLineBuffer:
    def test_lines_come_out_whole(self) -> None:
        lines = LineBuffer(b"200 re")
        lines.feed(b"sult=0\r\n\nrest")

        assert [lines.take(), lines.take(), lines.take()] == [b"200 result=0", b"", None]

    @pytest.mark.parametrize("ending", [b"", b"\n"])
    def test_a_line_beyond_the_limit_is_refused(self, ending: bytes) -> None:
        lines = LineBuffer(b"a" * (MAX_REPLY_LINE + 1) + ending)

        with pytest.raises(AgiProtocol, match="line of more than"):
            lines.take()
