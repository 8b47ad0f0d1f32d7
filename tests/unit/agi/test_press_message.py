# SPDX-License-Identifier: Apache-2.0
"""From an AGI environment to a press, and from a verdict to AGI commands."""

import pytest

from agi.press_message import AgiPress, press_from
from agi.session import FastAgiSettings
from agi.verdict_message import AgiVerdict, telling
from agi.wire import command, parse_environment


def press(script: str, *arguments: str, **more: str) -> AgiPress:
    lines = [f"agi_network_script: {script}", "agi_channel: SIP/410-1", "agi_uniqueid: 1.2"]
    lines += [f"agi_{name}: {value}" for name, value in more.items()]
    lines += [f"agi_arg_{number}: {value}" for number, value in enumerate(arguments, 1)]
    return press_from(parse_environment("\n".join(lines).encode()), 1000.5)


@pytest.mark.parametrize(
    ("script", "arguments", "verb", "options"),
    [
        ("stop", (), "stop", {}),
        ("/stop", (), "stop", {}),
        ("stop/", (), "stop", {}),
        ("STOP", (), "stop", {}),
        ("offrecord/stop", (), "stop", {}),
        ("stop?agent=fred", (), "stop", {"agent": "fred"}),
        ("stop?agent=fred%20k&x=1", (), "stop", {"agent": "fred k", "x": "1"}),
        ("stop?agent=a%3Db", (), "stop", {"agent": "a=b"}),
        ("stop?agent=a+b", (), "stop", {"agent": "a+b"}),
        ("stop?", (), "stop", {}),
        ("stop?flag", (), "stop", {"flag": ""}),
        ("stop", ("agent=fred", ""), "stop", {"agent": "fred"}),
        ("stop", ("agent = fred k",), "stop", {"agent": "fred k"}),
        ("stop", ("flag",), "stop", {"flag": ""}),
        ("stop?agent=anna", ("agent=fred",), "stop", {"agent": "anna"}),
        ("", ("stop", "agent=fred"), "stop", {"agent": "fred"}),
        ("", (), "", {}),
        ("", ("agent=fred",), "", {"agent": "fred"}),
    ],
)
def test_verb_and_options_come_from_path_query_and_arguments(
    script: str, arguments: tuple[str, ...], verb: str, options: dict[str, str]
) -> None:
    found = press(script, *arguments)

    assert (found.verb, found.options) == (verb, options)


def test_a_press_carries_what_asterisk_said_of_the_channel() -> None:
    found = press(
        "stop", callerid="411", calleridname="unknown", context="internal", extension="410"
    )

    assert found == AgiPress(
        verb="stop",
        channel="SIP/410-1",
        uniqueid="1.2",
        received_at=1000.5,
        caller_number="411",
        caller_name="",
        context="internal",
        extension="410",
    )


def test_a_verdict_is_told_variables_first_and_sounds_last() -> None:
    verdict = AgiVerdict("confirmed", ("beep", "auth-thankyou"), "stop confirmed")

    assert telling("P1", verdict) == [
        ("SET VARIABLE", "OFFRECORD_PRESS", "P1"),
        ("SET VARIABLE", "OFFRECORD_OUTCOME", "confirmed"),
        ("VERBOSE", "offrecord: stop confirmed", "1"),
        ("EXEC", "Playback", "beep&auth-thankyou,noanswer"),
        ("GET VARIABLE", "PLAYBACKSTATUS"),
    ]


def test_a_press_that_nobody_took_sets_no_press_variable() -> None:
    assert telling("", AgiVerdict("failed")) == [
        ("SET VARIABLE", "OFFRECORD_OUTCOME", "failed"),
        ("VERBOSE", "offrecord: failed", "1"),
    ]


def test_no_text_of_a_vendor_becomes_a_command() -> None:
    name, *words = telling("P1", AgiVerdict("failed", (), "HTTP 500\r\nHANGUP\n" * 200))[2]

    assert command(name, *words).count(b"\n") == 1


@pytest.mark.parametrize(
    "sound", ["", "beep,s", "beep&tt-monkeys", "a|b", "${CHANNEL(x)}", 'a"', "a\\", "b\neep"]
)
def test_a_sound_cannot_add_options_or_sounds_to_playback(sound: str) -> None:
    verdict = AgiVerdict("confirmed", ("en/beep-2.x", sound), "")

    assert verdict.unplayable == [sound]
    assert telling("P1", verdict)[3] == ("EXEC", "Playback", "en/beep-2.x,noanswer")


def test_a_verdict_compares_by_value() -> None:
    one, same = AgiVerdict("failed", ("beep",), "x"), AgiVerdict("failed", ("beep",), "x")

    assert one == same
    assert hash(one) == hash(same)
    assert one != AgiVerdict("failed", ("beep",), "y")
    assert one != "failed"
    assert repr(one) == "AgiVerdict('failed', sounds=('beep',), text='x')"


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 65536},
        {"port": -1},
        {"wait": -0.1},
        {"wait": 61},
        {"wait": float("nan")},
        {"read_timeout": 0},
        {"reply_timeout": 0},
        {"sound_timeout": -1},
        {"max_connections": 0},
        {"verbs": ()},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must|not between"):
        FastAgiSettings(**wrong)  # type: ignore[arg-type]
