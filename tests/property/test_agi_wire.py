# SPDX-License-Identifier: Apache-2.0
"""What must hold of the AGI and hand-over encodings for any text and any split of the bytes."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.errors import AgiInjection, AgiProtocol, HandoverError
from agi.handover import PressRequest, decode, encode
from agi.press_message import press_from
from agi.wire import (
    Environment,
    EnvironmentBuffer,
    LineBuffer,
    Reply,
    ReplyReader,
    command,
    parse_environment,
    parse_reply,
    printable,
)

CONTROLS = [chr(code) for code in (*range(32), 127)]
words = st.lists(st.text(max_size=40), max_size=5)


def as_asterisk_reads(line: str) -> list[str]:
    """Return the arguments of a command line, by the rules of Asterisk's `parse_args`."""
    arguments: list[str] = []
    quoted = escaped = False
    between = True
    for char in line:
        if char == '"' and not escaped:
            quoted = not quoted
            if quoted and between:
                arguments.append("")
                between = False
        elif char in " \t" and not quoted and not escaped:
            between = True
        elif char == "\\" and not escaped:
            escaped = True
        else:
            if between:
                arguments.append("")
                between = False
            arguments[-1] += char
            escaped = False
    return arguments


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(words)
def test_asterisk_reads_back_exactly_the_arguments_or_nothing_is_sent(arguments: list[str]) -> None:
    try:
        data = command("VERBOSE", *arguments)
    except AgiInjection:
        assert any(char in argument for argument in arguments for char in CONTROLS)
        return

    line = data.decode()
    assert line.endswith("\n")
    sent = [argument.encode("utf-8", "replace").decode() for argument in arguments]
    assert as_asterisk_reads(line[:-1]) == ["VERBOSE", *sent]


@given(st.text(max_size=30), st.sampled_from(CONTROLS), st.text(max_size=30))
def test_a_control_character_never_leaves(before: str, control: str, after: str) -> None:
    with pytest.raises(AgiInjection):
        command("VERBOSE", before + control + after)


@given(st.text())
def test_printable_text_always_makes_one_command(text: str) -> None:
    assert command("VERBOSE", printable(text), "1").count(b"\n") == 1


BLOCK = (
    b"agi_network_script: stop?agent=fred\r\nagi_channel: SIP/410-1\nagi_uniqueid: 1.2\n"
    b"agi_calleridname: Jos\xc3\xa9\nagi_arg_1: x=y\n"
)


@given(st.lists(st.integers(0, 200)), st.sampled_from([b"\n", b"\r\n"]))
def test_an_environment_is_the_same_however_its_bytes_were_cut(
    cuts: list[int], ending: bytes
) -> None:
    buffer = EnvironmentBuffer()
    found: list[Environment] = []
    for piece in pieces(BLOCK + ending, cuts):
        environment = buffer.feed(piece)
        if environment is not None:
            found.append(environment)

    assert len(found) == 1
    assert press_from(found[0], 0.0) == press_from(parse_environment(BLOCK), 0.0)
    assert found[0].get("agi_calleridname") == "José"
    assert buffer.rest == b""


@given(st.binary(max_size=2000))
def test_any_bytes_are_an_environment_or_refused(data: bytes) -> None:
    try:
        environment = EnvironmentBuffer().feed(data)
    except AgiProtocol:
        return
    if environment is not None:
        assert environment.channel
        assert environment.uniqueid


@given(st.binary(max_size=60))
def test_any_line_is_a_reply_or_refused(line: bytes) -> None:
    try:
        reply = parse_reply(line)
    except AgiProtocol:
        return
    assert 0 <= reply.code <= 999


@given(st.lists(st.integers(0, 200)))
def test_answers_are_the_same_however_their_bytes_were_cut(cuts: list[int]) -> None:
    stream = (
        b"100 Trying...\n200 result=1 (Jos\xc3\xa9)\n520-Wrong\nUsage: X\n520 End.\n511 Dead\r\n"
    )
    lines, reader = LineBuffer(), ReplyReader()
    replies: list[Reply] = []
    for piece in pieces(stream, cuts):
        lines.feed(piece)
        while (line := lines.take()) is not None:
            reply = reader.take(line)
            if reply is not None:
                replies.append(reply)
                reader = ReplyReader()

    assert [reply.code for reply in replies] == [200, 520, 511]
    assert replies[0].data == "José"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_our_json_is_read_back_as_it_was(message: dict[str, object]) -> None:
    line = encode(message)

    assert line.count(b"\n") == 1
    assert json.loads(line) == message
    assert decode(line) == message


@given(st.binary(max_size=300))
def test_any_line_is_a_message_or_refused(line: bytes) -> None:
    try:
        message = decode(line)
    except HandoverError:
        return
    assert isinstance(message, dict)


@given(st.dictionaries(st.sampled_from(PressRequest.__slots__), json_values))
def test_any_message_is_a_request_or_refused(message: dict[str, object]) -> None:
    try:
        request = PressRequest.from_message(message)
    except HandoverError:
        return
    assert PressRequest.from_message(decode(encode(request.message()))).message() == (
        request.message()
    )
