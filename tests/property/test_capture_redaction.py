# SPDX-License-Identifier: Apache-2.0
"""Nothing that tells of people survives in a capture: no number, no name, no secret."""

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ami.calls import channel_names
from offrecord.ami_capture.capture_file import text
from offrecord.ami_capture.make import Capture
from offrecord.ami_capture.redact import Redactor
from tests.kits.capture_kit import NO_CALLS, Said, collected, configured, made

NUMBERS = st.from_regex(r"\+?[0-9]{5,15}", fullmatch=True)
NAMES = st.from_regex(r"Qx[a-z]{3,8}( Zw[a-z]{3,8})?", fullmatch=True)
EXTENSIONS = st.from_regex(r"[1-9][0-9]{2,6}", fullmatch=True)
SUFFIX = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
ADDRESS = st.from_regex(r"(1[0-9]{1,2}\.){3}1[0-9]{1,2}", fullmatch=True)

calls = st.fixed_dictionaries(
    {
        "extension": EXTENSIONS, "suffix": SUFFIX, "number": NUMBERS, "name": NAMES,
        "queue": NAMES, "login": NAMES, "secret": NAMES, "address": ADDRESS, "account": NUMBERS,
        "epoch": st.integers(10**9, 2 * 10**9), "pressed": st.text("0123456789*#", max_size=20),
        "context": NAMES, "junk": NUMBERS,
    }
)  # fmt: skip


def said(call: dict[str, object]) -> list[Said]:
    """Return a call in which every header holds something of somebody's."""
    uniqueid = f"{call['epoch']}.{call['junk']}"[:30]
    base = (
        f"Channel: SIP/{call['extension']}-{call['suffix']}\r\nChannelStateDesc: Up\r\n"
        f"CallerIDNum: {call['number']}\r\nCallerIDName: {call['name']}\r\n"
        f"ConnectedLineNum: {call['number']}\r\nConnectedLineName: {call['name']}\r\n"
        f"AccountCode: {call['account']}\r\nContext: {call['context']}\r\n"
        f"Exten: {call['number']}\r\nAppData: {call['name']},{call['number']}\r\n"
        f"Uniqueid: {uniqueid}\r\nLinkedid: {uniqueid}"
    )
    got = (
        ("OFFRECORD_AGENT", call["login"]),
        ("CHANNEL(appdata)", f"{call['queue']},t,,,{call['number']}"),
        ("SIPCALLID", f"{call['junk']}@{call['address']}"), ("OFFRECORD_TAG", call["name"]),
        ("OFFRECORD_RECORDERS", call["name"]), ("REC_POLICY_MODE", call["name"]),
    )  # fmt: skip
    packets = [
        *NO_CALLS,
        ("<", f"Event: Newchannel\r\n{base}"),
        ("<", f"Event: Newchannel\r\n{base}".replace("SIP/", f"SIP/{call['address']}-")),
        ("<", f"Event: VarSet\r\n{base}\r\nVariable: OFFRECORD_EXTENSION\r\nValue: {call['name']}"),
        ("<", f"Event: VarSet\r\n{base}\r\nVariable: SIPCALLID\r\nValue: {call['address']}"),
        ("<", (f"Event: UserEvent\r\nUserEvent: {call['name']}\r\n{base}\r\nAgent: {call['login']}"
              f"\r\nverb: {call['name']}\r\nCard: {call['junk']}")),
        *(("<", f"Event: DTMFEnd\r\n{base}\r\nDigit: {digit}\r\nDirection: Received")
          for digit in str(call["pressed"])),
    ]  # fmt: skip
    for place, (variable, value) in enumerate(got):
        ident = f"offrecord-{call['secret']}-{place}"
        packets += [
            (">", (f"Action: Getvar\r\nActionID: {ident}\r\nChannel: {uniqueid}\r\n"
                  f"Variable: {variable}")),
            ("<", (f"Response: Success\r\nActionID: {ident}\r\nVariable: {variable}\r\n"
                  f"Value: {value}\r\nMessage: {call['name']} {call['number']}")),
        ]  # fmt: skip
    return packets


def lines(capture: Capture) -> str:
    return "\n".join(text(capture.head, capture.entries))


def redacted(*every: dict[str, object]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        agents = {str(call["extension"]): str(call["login"]) for call in every}
        trunks = [str(call["name"]) for call in every]
        loaded = configured(
            Path(folder), agents=agents, extensions={"trunks": trunks},
            pause={"queues": {f"{call['queue']}*": 60.0 for call in every}},
            routes={"rule": [
                {"did": call["number"], "agent": call["login"], "recorders": ["acme"]}
                for call in every
            ]},
        )  # fmt: skip
        heard = collected(packet for call in every for packet in said(call))
        at = heard.items[-1].at * 1000
        for call in every:
            body = {"verb": "stop", "way": "fastagi", "target": f"SIP/{call['extension']}-1",
                    "agent": call["login"], "options": {"note": call["name"]},
                    "detail": call["secret"], "recorder": call["name"]}  # fmt: skip
            heard.add_record("pressed", int(at), str(call["secret"]), body)
        return lines(made(heard, loaded))


@settings(max_examples=25, deadline=None)
@given(st.lists(calls, min_size=1, max_size=3))
def test_no_number_no_name_and_no_secret_survives(every: list[dict[str, object]]) -> None:
    written = redacted(*every)

    digits = re.findall(r"[0-9]{5,}", written)
    for call in every:
        for packet in (packet for _, packet in said(call)):
            for run in re.findall(r"[0-9]{5,}", packet):
                assert not [one for one in digits if run in one], run
        for key in ("name", "queue", "login", "secret", "context"):
            for word in str(call[key]).split():
                assert word not in written
        assert str(call["address"]) not in written
        assert f"-{call['suffix']}" not in written
    for secret in ("ami-secret", "noojee-key", "998877", "112233", "acme"):
        assert secret not in written


@settings(max_examples=25, deadline=None)
@given(st.text("0123456789*#ABCD", max_size=40))
def test_of_the_digits_pressed_the_codes_alone_stay(pressed: str) -> None:
    uniqueid = "Uniqueid: 1.1\r\nLinkedid: 1.1"
    packets = [
        ("<", (f"Event: DTMFEnd\r\nChannel: SIP/1-1\r\n{uniqueid}\r\nDigit: {digit}\r\n"
              "Direction: Received"))
        for digit in pressed
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        written = lines(made(collected(packets), configured(Path(folder))))
    shown = "".join(re.findall(r"^Digit: (.)", written, re.MULTILINE))
    rest = re.sub(r"\*[1239]", "", shown)

    assert len(shown) == len(pressed)
    assert set(rest) <= {"#", "0"}
    assert len(set(rest)) <= 1
    assert re.findall(r"\*[1239]", shown) == re.findall(r"\*[1239]", pressed)


@settings(max_examples=25, deadline=None)
@given(st.sets(EXTENSIONS, min_size=1, max_size=40), st.sampled_from(["4??", "[45]*", "*1", "4*"]))
def test_numbers_keep_their_length_their_pattern_and_their_difference(
    extensions: set[str], pattern: str
) -> None:
    from fnmatch import fnmatchcase

    redactor = Redactor(
        [one for one in extensions if len(one) >= 5], [pattern],
        channel_names.DEFAULT_RULES.looks_like_extension,
    )  # fmt: skip
    now = {one: redactor.number(one) for one in sorted(extensions)}

    assert len(set(now.values())) == len(extensions)
    for was, made_of_it in now.items():
        assert len(made_of_it) == len(was)
        assert redactor.number(was) == made_of_it
        assert fnmatchcase(made_of_it, redactor.pattern(pattern, "text")) == fnmatchcase(
            was, pattern
        )
