# SPDX-License-Identifier: Apache-2.0
"""What others are told of a verdict, where it goes, and what may stand in a dialplan."""

import hashlib
import hmac
import json

import pytest
from pydantic import ValidationError

from bridges.model import Evidence, Outcome, RecorderResult, Step, Verb
from offrecord.base.addresses import Address, split
from offrecord.base.secrets import Secret
from offrecord.config.sections.notify import TellConfig
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify import late_tone, outgoing_webhook, user_event
from offrecord.notify.lamps import STATES

STEP = Step(1.0, 0.1, "GET /stop?token=***", "HTTP 200 raw-answer", Evidence.ACCEPTED)
RESULT = RecorderResult(
    "noojee", "noojee", Outcome.ACCEPTED, Evidence.ACCEPTED, "it said yes", (STEP,)
)
PRESS = Press(
    "01kpress", Verb.STOP, "keypad", "1.1", 1_700_000_000_123, 5.0,
    uniqueid="1.1", channel="PJSIP/410-00000001",
)  # fmt: skip
VERDICT = Verdict(
    "01kpress", Verb.STOP, Outcome.ACCEPTED, Evidence.ACCEPTED, "noojee: it said yes", 0.1234,
    "1.0", (RESULT,),
)  # fmt: skip
TOLD = user_event.VerdictMessage(PRESS, VERDICT, "PJSIP/410-00000001", "410", "fred", heard=False)


def test_a_desktop_event_names_press_outcome_and_person() -> None:
    assert user_event.event_fields(TOLD) == {
        "UserEvent": "offrecord-verdict",
        "Press": "01kpress",
        "Verb": "stop",
        "Outcome": "accepted",
        "Evidence": "L1",
        "Channel": "PJSIP/410-00000001",
        "Uniqueid": "1.1",
        "Extension": "410",
        "Agent": "fred",
    }


def test_no_value_of_an_event_can_begin_another_header() -> None:
    told = user_event.VerdictMessage(
        PRESS, VERDICT, "", "", "fred\r\nAction: Logoff" + "x" * 500, False
    )

    assert user_event.event_fields(told)["Agent"].startswith("fred??Action: Logoff")
    assert all(len(value) <= 200 for value in user_event.event_fields(told).values())


def test_the_posted_verdict_holds_everything_but_what_was_sent_to_recorders() -> None:
    body = outgoing_webhook.body(TOLD)
    read = json.loads(body)

    assert read["recorders"] == [
        {
            "recorder": "noojee",
            "kind": "noojee",
            "outcome": "accepted",
            "evidence": "L1",
            "detail": "it said yes",
        }
    ]
    assert (read["at"], read["took_ms"], read["call"]) == (1_700_000_000_123, 123.4, "1.0")
    assert (read["agent"], read["extension"], read["heard"]) == ("fred", "410", False)
    assert b"token" not in body
    assert b"raw-answer" not in body


def test_a_signature_covers_the_time_and_the_body() -> None:
    expected = hmac.new(b"key", b"1700000000.{}", hashlib.sha256).hexdigest()

    assert outgoing_webhook.signature("key", 1_700_000_000, b"{}") == f"sha256={expected}"
    assert outgoing_webhook.signature("key", 1_700_000_001, b"{}") != f"sha256={expected}"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://desk.example/hook?t=1", Address("https://desk.example", "/hook?t=1")),
        ("https://desk.example", Address("https://desk.example", "/")),
        ("https://desk.example:8443/a%20b", Address("https://desk.example:8443", "/a%20b")),
        ("http://127.0.0.1:99/x", Address("http://127.0.0.1:99", "/x")),
        ("http://[::1]:99/x", Address("http://[::1]:99", "/x")),
    ],
)
def test_an_address_is_taken_apart(url: str, address: Address) -> None:
    assert split(url) == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://desk.example/hook?t=hush", "in the clear: use https"),
        ("ftp://desk.example/hook?t=hush", "is no URL"),
        ("desk.example/hook?t=hush", "is no URL"),
        ("https:///hook?t=hush", "is no URL"),
        ("https://fred:hush@desk.example/", "holds a user or a fragment"),
        ("https://desk.example/#hush", "holds a user or a fragment"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secrets(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as problem:
        split(url)

    assert "hush" not in str(problem.value)


def test_plain_http_to_another_machine_is_a_choice() -> None:
    assert split("http://desk.example/", plain_http=True).origin == "http://desk.example"


def test_the_section_is_off_but_for_the_lamp() -> None:
    given = TellConfig()

    assert (given.lamp, given.whisper, given.event, given.address) == (True, False, False, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"webhook": "https://desk.example/"}, "go together"),
        ({"webhook_secret": Secret("s")}, "go together"),
        ({"webhook": "http://desk.example/", "webhook_secret": Secret("s")}, "in the clear"),
        ({"whispers": True}, "Extra inputs"),
    ],
)
def test_half_a_webhook_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TellConfig.model_validate(given)


CHANNELS = ["PJSIP/410-00000001", "SIP/my-trunk-0000abcd", "IAX2/fred@acme-12", "SIP/410-12FA7B"]


@pytest.mark.parametrize("channel", CHANNELS)
def test_plain_channels_may_be_whispered_to(channel: str) -> None:
    assert late_tone.problem(channel, "pbx-1-1700000000.12", ("offrecord/failed", "beep")) is None


@pytest.mark.parametrize(
    ("channel", "uniqueid", "sound"),
    [
        ("PJSIP/410-00000001,qX", "1.1", "beep"),
        ("PJSIP/${SHELL(x)}-00000001", "1.1", "beep"),
        ("PJSIP/410", "1.1", "beep"),
        ("PJSIP/", "1.1", "beep"),
        ("", "1.1", "beep"),
        ("Local/410@x-00000001;1", "1.1", "beep"),
        ("PJSIP/410-00000001\r\nAction: Logoff-1", "1.1", "beep"),
        ("PJSIP/410-00000001", '1.1" = "', "beep"),
        ("PJSIP/410-00000001", "", "beep"),
        ("PJSIP/410-00000001", "1.1", "beep,skip"),
        ("PJSIP/410-00000001", "1.1", "beep&other"),
        ("PJSIP/410-00000001", "1.1", "../../etc/passwd"),
        ("PJSIP/410-00000001", "1.1", ""),
        ("PJSIP/410-00000001", "1.1", "${SHELL(x)}"),
    ],
)
def test_what_is_not_plain_is_whispered_to_nobody(channel: str, uniqueid: str, sound: str) -> None:
    assert late_tone.problem(channel, uniqueid, (sound,)) is not None


def test_the_originate_goes_to_the_one_context_and_to_one_channel() -> None:
    one = late_tone.Whisper("PJSIP/410-00000001", "1.1", ("offrecord/failed", "beep"), 0.0)

    assert late_tone.fields(one, ("offrecord-1", "offrecord-2")) == {
        "Channel": "Local/whisper@offrecord-tell/n",
        "Context": "offrecord-tell",
        "Exten": "play",
        "Priority": "1",
        "Async": "true",
        "Timeout": "3000",
        "ChannelId": "offrecord-1",
        "OtherChannelId": "offrecord-2",
        "Variable": [
            "__OFFRECORD_TELL_CHANNEL=PJSIP/410-00000001",
            "__OFFRECORD_TELL_UNIQUEID=1.1",
            "OFFRECORD_TELL_SOUNDS=offrecord/failed&beep",
        ],
    }


def test_a_lamp_is_dark_steady_or_blinking() -> None:
    assert STATES == {
        "off": "NOT_INUSE",
        "recording": "NOT_INUSE",
        "stopped": "INUSE",
        "paused": "INUSE",
        "failed": "RINGING",
    }
