# SPDX-License-Identifier: Apache-2.0
"""Actions as bytes and answers as data, the settings, and the arithmetic of the reconnect."""

import re

import pytest

from ami import errors, recording_actions
from ami.errors import AmiError, AmiInjection, AmiTimeout
from ami.events.headers import ChannelRow, headers
from ami.link.actions import MAX_HEADERS, MAX_LINE, Response, encode, flatten, response
from ami.link.supervisor import full_jitter
from ami.settings import AmiSettings, is_loopback


def account(**changes: object) -> AmiSettings:
    return AmiSettings(**{"username": "offrecord", "secret": "hush", **changes})  # type: ignore[arg-type]


def test_an_action_is_its_headers_in_order_closed_by_an_empty_line() -> None:
    pairs = [("Action", "Setvar"), *flatten({"Variable": ["A", "B"], "Value": "José"})]
    assert encode(pairs) == (
        "Action: Setvar\r\nVariable: A\r\nVariable: B\r\nValue: José\r\n\r\n".encode()
    )


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\r\nAction: Originate", "a\0b", "\n", "x\r\n"])
def test_a_line_break_or_nul_in_a_value_is_refused_and_its_text_not_told(bad: str) -> None:
    with pytest.raises(AmiInjection) as caught:
        encode([("Action", "Setvar"), ("Value", bad)])
    assert caught.value.header == "Value"
    assert bad not in str(caught.value)


@pytest.mark.parametrize("bad", ["", "A B", "A:B", "A\r", "A\n", "A\0", "Ä", "A: 1\r\nB", "-A"])
def test_what_is_no_header_name_is_refused(bad: str) -> None:
    with pytest.raises(AmiInjection):
        encode([("Action", "Ping"), (bad, "1")])


def test_a_line_as_long_as_asterisk_takes_is_sent_and_a_longer_one_refused() -> None:
    room = MAX_LINE - len("Value: ")
    assert len(encode([("Value", "x" * room)])) == MAX_LINE + 4
    with pytest.raises(AmiInjection):
        encode([("Value", "x" * (room + 1))])
    with pytest.raises(AmiInjection):
        encode([("Value", "é" * (room // 2 + 1))])


def test_more_headers_than_asterisk_takes_are_refused() -> None:
    encode([("H", "1")] * MAX_HEADERS)
    with pytest.raises(AmiInjection):
        encode([("H", "1")] * (MAX_HEADERS + 1))


def test_no_headers_and_half_characters_are_refused() -> None:
    with pytest.raises(AmiInjection):
        encode([])
    with pytest.raises(AmiInjection):
        encode([("Value", "\ud800")])


@pytest.mark.parametrize(
    ("said", "ok"),
    [
        ("Success", True),
        ("Follows", True),
        ("Goodbye", True),
        ("Error", False),
        ("Failure", False),
        ("success?", False),
        ("", False),
    ],
)
def test_only_asterisks_own_words_for_success_are_ok(said: str, ok: bool) -> None:
    assert response([("Response", said), ("Message", "m")]).ok is ok
    assert response([("Event", "OriginateResponse"), ("Response", said)]).ok is ok


def test_a_row_of_a_list_is_ok_and_nothing_at_all_is_not() -> None:
    assert response([("Event", "CoreShowChannel")]).ok
    assert not response([]).ok


def test_one_line_of_output_is_a_tuple_like_two() -> None:
    one = response([("Response", "Success"), ("Output", "a")])
    two = response([("Response", "Success"), ("Output", "a"), ("Output", "")])
    assert (one.output, two.output) == (("a",), ("a", ""))
    assert response([("Response", "Success")]).output == ()


def test_an_empty_last_header_and_a_repeated_one_are_kept() -> None:
    answer = response(headers(b"Response: Success\r\nVar: 1\r\nVar: 2\r\nValue: "))
    assert answer.headers["Value"] == ""
    assert answer.headers["Var"] == "1\n2"
    assert "Missing" not in answer.headers


def test_errors_have_stable_codes_that_differ_and_say_a_fix() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, AmiError)
    ]
    codes = {kind.code for kind in kinds}
    assert len(codes) == len(kinds)
    drawn = set(re.findall(r"ami\.[a-z_]+", errors.__doc__ or ""))
    assert codes - {"ami.error"} == drawn - {"ami.not_ami"}
    assert AmiTimeout("Ping", 1.0).fix in str(AmiTimeout("Ping", 1.0))


def test_settings_keep_the_secret_out_of_their_repr() -> None:
    assert "hush" not in repr(account())


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": 70000},
        {"host": ""},
        {"secret": ""},
        {"username": ""},
        {"ping_interval": 12.0},
        {"backoff_base": 0.0},
        {"backoff_base": 60.0},
        {"queue_limit": 0},
        {"connect_timeout": 0},
        {"server_hostname": "pbx"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        account(**wrong)


def test_login_asks_for_the_event_classes_that_are_used_and_no_more() -> None:
    assert account().event_mask == "system,call"
    assert account(keypad=True, user_events=True).event_mask == "system,call,dtmf,user"
    assert account(extension_variable=True).event_mask == "system,call,dialplan"


@pytest.mark.parametrize(
    ("host", "stays"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.5", False),
        ("::ffff:10.0.0.5", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("localhost", None),
        ("pbx.example", None),
    ],
)
def test_loopback_is_told_from_what_leaves_the_machine(host: str, stays: bool | None) -> None:
    assert is_loopback(host) is stays


def test_the_reconnect_span_doubles_to_its_cap_and_any_part_of_it_may_be_waited() -> None:
    spans = [full_jitter(n, 0.2, 30.0, 1.0) for n in range(12)]
    assert spans[:4] == [0.2, 0.4, 0.8, 1.6]
    assert spans[-1] == 30.0
    assert full_jitter(5, 0.2, 30.0, 0.0) == 0.0
    assert full_jitter(10_000_000, 0.2, 30.0, 0.5) == 15.0


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((16, 28, 0), True),
        ((18, 17, 1), True),
        ((18, 18, 0), False),
        ((18, 19, 0), False),
        ((18, 20, 0), True),
        ((20, 2, 1), True),
        ((20, 3, 0), False),
        ((20, 4, 0), False),
        ((20, 5, 0), True),
        ((22, 10, 1), True),
        ((22,), True),
        ((20,), False),
        ((18,), False),
        ((), False),
    ],
)
def test_a_mute_is_safe_only_where_it_is_known_not_to_deadlock(
    version: tuple[int, ...], safe: bool
) -> None:
    assert recording_actions.mute_is_safe(version) is safe


def row(name: str, uniqueid: str) -> ChannelRow:
    return ChannelRow(name, uniqueid, uniqueid, *[""] * 9)


def test_a_channel_is_named_to_the_cli_only_by_a_word_that_means_no_other() -> None:
    rows = [
        row("DAHDI/1-1", "1.5"),
        row("DAHDI/1-10", "1.51"),
        row("dahdi/1-1X", "1.6"),
        row('SIP/a "b"-00000001', "1.7"),
        row("PJSIP/410-00000001", "1.8"),
    ]
    assert recording_actions.addressable(rows) == {
        "1.51": "DAHDI/1-10",
        "1.6": "dahdi/1-1X",
        "1.7": "1.7",
        "1.8": "PJSIP/410-00000001",
    }


def said(*output: str, ok: bool = True) -> Response:
    return Response(ok, "Command output follows", {}, output)


def test_a_mixmonitor_listing_is_counted_and_anything_else_is_no_count() -> None:
    head = ("MixMonitor ID\tFile\tReceive File\tTransmit File", "=" * 73)
    assert recording_actions.listed(said(*head, "")) == 0
    assert recording_actions.listed(said(*head, "0x1\t/a\t\t", "0x2\t\t\t", "")) == 2
    assert recording_actions.listed(said("No channel matching 'x' found.", "")) is None
    assert recording_actions.listed(said()) is None
    assert recording_actions.listed(said(*head, "", ok=False)) is None
