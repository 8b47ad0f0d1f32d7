# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire to Imagicle, and what its list says."""

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from bridges.imagicle import messages
from bridges.imagicle.messages import Key, Op

GUID = "75A90276-E47E-4e9e-B463-E3C743D5FF3A"
BASE = "/fw/Apps/Recorder/WebAPI/LiveRecordings"
NOW = 1_700_000_000.0


def read(*items: Any, hours: float = 0) -> tuple[messages.Live, ...]:
    zone = timezone(timedelta(hours=hours)) if hours else UTC
    return messages.read_list(json.dumps(list(items)).encode(), now=NOW, zone=zone)


def item(**more: Any) -> dict[str, Any]:
    return {"id": GUID, **more}


@pytest.mark.parametrize(
    ("ask", "method", "target"),
    [
        (messages.listing(), "GET", BASE),
        (messages.listing(Key.NUMBER, "410"), "GET", f"{BASE}?directoryNumber=410"),
        (messages.listing(Key.USER, "a b"), "GET", f"{BASE}?username=a%20b"),
        (messages.by_id(Op.STOP_ID, GUID), "DELETE", f"{BASE}/{GUID}"),
        (messages.by_id(Op.PAUSE_ID, GUID), "PUT", f"{BASE}/{GUID}/Pause"),
        (messages.by_id(Op.RESUME_ID, GUID), "PUT", f"{BASE}/{GUID}/Resume"),
        (
            messages.by_line(Op.STOP_LINE, Key.NUMBER, "+39"),
            "DELETE",
            f"{BASE}?directoryNumber=%2B39",
        ),
        (messages.by_line(Op.STOP_LINE, Key.MISSPELT, "4"), "DELETE", f"{BASE}?directoryNumberr=4"),
        (messages.by_line(Op.STOP_LINE, Key.DEVICE, "SEP1"), "DELETE", f"{BASE}?deviceName=SEP1"),
        (
            messages.by_line(Op.PAUSE_LINE, Key.NUMBER, "4"),
            "PUT",
            f"{BASE}/Pause?directoryNumber=4",
        ),
        (
            messages.by_line(Op.RESUME_LINE, Key.NUMBER, "4"),
            "PUT",
            f"{BASE}/Resume?directoryNumber=4",
        ),
    ],
)
def test_a_request_is_written_as_the_pages_have_it(
    ask: messages.Ask, method: str, target: str
) -> None:
    assert (ask.method, ask.target, ask.content) == (method, target, b"")


def test_a_start_has_one_key_and_the_mode() -> None:
    ask = messages.start("410", 1)
    assert (ask.method, ask.target) == ("POST", BASE)
    assert json.loads(ask.content) == {"directoryNumber": "410", "mode": 1}


@pytest.mark.parametrize(
    "word", ["Mine", "Pause", "", "..", f"{GUID}/Pause", GUID[:-1], f"{GUID}\n"]
)
def test_nothing_but_a_guid_is_put_into_a_path(word: str) -> None:
    with pytest.raises(ValueError, match="GUID"):
        messages.by_id(Op.STOP_ID, word)


def test_no_value_is_empty() -> None:
    for make in (
        lambda: messages.by_line(Op.STOP_LINE, Key.NUMBER, ""),
        lambda: messages.listing(Key.NUMBER, ""),
        lambda: messages.start("", 0),
    ):
        with pytest.raises(ValueError, match=r"empty|needed"):
            make()


def test_an_element_is_read() -> None:
    [live] = read(
        item(
            duration="PT1M30S", startedAt="2023-11-14T22:11:50Z", isPaused=True,
            remoteParty={"phoneNumber": "+390584943232"},
        )
    )  # fmt: skip
    assert live == messages.Live(GUID, "+390584943232", (NOW - 90, NOW - 90), paused=True)
    assert live.is_(GUID.lower())


def test_a_bare_element_is_a_live_one_of_which_little_is_known() -> None:
    assert read(item()) == (messages.Live(GUID),)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14T22:13:20.1234567Z", NOW + 0.123456),
        ("2023-11-15T00:13:20", NOW),
    ],
)
def test_a_time_is_read_in_every_form(text: str, at: float) -> None:
    assert read(item(startedAt=text), hours=2)[0].began == (pytest.approx(at),)


@pytest.mark.parametrize("text", ["yesterday", "", None, 7, "0001-01-01T00:00:00+14:00x"])
def test_a_time_that_is_none_is_left_out(text: Any) -> None:
    assert read(item(startedAt=text, duration=text))[0].began == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT5S", 5), ("PT1H1M1.5S", 3661.5), ("P1DT1S", 86401), ("P2D", 172800), ("PT0S", 0)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert read(item(duration=text))[0].began == (NOW - seconds,)


@pytest.mark.parametrize("text", ["P", "PT", "5", "P1M", "PT5", "00:01:00"])
def test_a_duration_that_is_none_is_left_out(text: str) -> None:
    assert read(item(duration=text))[0].began == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b"<html>", b"\xff", b"[1]", b"[{}]", b'[{"id": "Mine"}]', b'[{"id": 7}]',
     b'[{"id": "75A90276-E47E-4e9e-B463-E3C743D5FF3A", "isPaused": "no"}]'],
)  # fmt: skip
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        messages.read_list(body, now=NOW, zone=UTC)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": ""}', b'{"id": "Mine"}'])
def test_a_start_without_an_id_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        messages.read_id(body)


def test_a_label_names_id_and_party() -> None:
    assert messages.Live(GUID, "410").label(str) == f"{GUID} (with 410)"
    assert messages.Live(GUID, "4111111111111111").label(lambda _: "***") == f"{GUID} (with ***)"
    assert "unknown party" in messages.Live(GUID).label(str)
