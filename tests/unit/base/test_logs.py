# SPDX-License-Identifier: Apache-2.0
"""A log line says which call it is about, and no secret and no card digit."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from structlog.contextvars import bound_contextvars
from structlog.stdlib import get_logger

from offrecord.base import logs
from offrecord.base.logs import CARD, Redactor
from offrecord.base.secrets import MASK, Secret

KEY = "f863246a-973e-11e6"
EVENT = f"asked {KEY}"


@pytest.fixture(autouse=True)
def undo() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in (*logs.NOISY, *logs.SILENT)}
    yield
    logging.captureWarnings(False)
    root.setLevel(level)
    root.handlers[:] = handlers
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


def start(
    form: Literal["auto", "console", "json"] = "json",
    level: Literal["debug", "info", "warning", "error"] = "info",
) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, form, secrets=[Secret(KEY)], stream=stream)
    return stream


def only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_has_an_event_its_fields_its_call_and_its_press() -> None:
    stream = start()
    with bound_contextvars(call="1700000000.7", press="01kabc"):
        get_logger("offrecord.presses.lifecycle").info("asked", recorder="noojee", took=0.25)
    line = only(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "asked",
        "recorder": "noojee",
        "took": 0.25,
        "call": "1700000000.7",
        "press": "01kabc",
        "level": "info",
        "logger": "offrecord.presses.lifecycle",
    }


async def test_the_call_stays_with_its_own_task() -> None:
    stream = start()
    log = get_logger("x")

    async def one(call: str) -> None:
        with bound_contextvars(call=call):
            await asyncio.sleep(0)
            log.info("here", expected=call)

    await asyncio.gather(one("1.1"), one("2.2"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["call"] for line in lines] == [line["expected"] for line in lines]
    assert len(lines) == 2


def test_the_console_has_the_same_on_one_line() -> None:
    stream = start("console")
    with bound_contextvars(call="1700000000.7"):
        get_logger("x").info("asked", recorder="noojee", name="a b")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "asked" in text
    assert "call=1700000000.7" in text
    assert "recorder=noojee" in text
    assert "name='a b'" in text


def test_auto_is_json_where_nobody_watches() -> None:
    stream = start("auto")
    get_logger("x").warning("seen")
    assert only(stream)["event"] == "seen"


def test_levels_hold_and_can_be_changed_by_a_reload() -> None:
    first = start(level="warning")
    log = get_logger("x")
    log.info("quiet")
    second = start(level="debug")
    log.debug("loud")
    assert first.getvalue() == ""
    assert only(second)["event"] == "loud"


def test_the_standard_library_s_loggers_come_out_the_same_way_with_their_call() -> None:
    stream = start()
    with bound_contextvars(call="9.9"):
        logging.getLogger("some.library").warning("gone %s", KEY, extra={"port": 5038})
    line = only(stream)
    assert (line["event"], line["call"], line["port"]) == (f"gone {MASK}", "9.9", 5038)


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore.http11", "panoramisk.manager", "uvicorn.error"]
)
def test_chatty_libraries_are_heard_from_warnings_up(name: str) -> None:
    stream = start(level="debug")
    logging.getLogger(name).info("HTTP Request: POST https://nj/?apiKey=1")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("trouble")
    assert only(stream)["event"] == "trouble"


def test_access_lines_with_their_query_are_not_heard() -> None:
    stream = start(level="debug")
    logging.getLogger("uvicorn.access").error("GET /?token=1")
    assert stream.getvalue() == ""


def test_python_s_warnings_are_logged() -> None:
    stream = start()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("odd", UserWarning, stacklevel=1)
    assert "odd" in only(stream)["event"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_shows_nowhere_not_even_in_a_traceback(
    form: Literal["json", "console"],
) -> None:
    stream = start(form)
    log = get_logger("x")
    log.info(EVENT, url=f"https://nj/?a={KEY}&b", nested={"list": [KEY, {KEY: KEY}]})
    log.info("by key", api_key="x1", apiKey="x1", password="x1", hash="x1", secret=Secret("x1"))
    log.info("typed", given=Secret(KEY), many=(Secret(KEY),))
    try:
        int(KEY)
    except ValueError:
        log.exception("failed")
        logging.getLogger("lib").exception("failed too")
    text = stream.getvalue()
    assert KEY not in text
    assert "x1" not in text
    assert "Traceback" in text
    assert text.count(MASK) >= 12


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "paid with 4111111111111111.",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "378282246310005",
        "x=6304000000000000000,",
        "500000000000",
        "(5555555555554444)",
    ],
)
def test_card_numbers_are_masked(text: str) -> None:
    cleaned = Redactor().text(text)
    assert CARD in cleaned
    assert sum(char.isdigit() for char in cleaned) == 0


def test_a_card_number_given_as_a_number_is_masked_too() -> None:
    assert Redactor().value({"n": 4111111111111111, "list": [5500005555555559]}) == {
        "n": CARD,
        "list": [CARD],
    }


@pytest.mark.parametrize(
    "text",
    [
        "1392356108.888",
        "pbx12-1700000000.4294967295",
        "PJSIP/4100-00000002",
        "SIP/410-12FA7B",
        "Local/412@inner-00000000;1",
        "PJSIP/my-trunk-00000002",
        "1392356108888",
        "2025-11-22T02:13:00.123456Z",
        "192.168.100.200:5038",
        "01kabcdefgh123",
        "+4915112345",
        "00000000-0000-4000-8000-0123456789ab",
    ],
)
def test_ids_channels_and_times_stay_readable(text: str) -> None:
    assert Redactor().text(text) == text


def test_numbers_that_are_no_cards_stay_numbers() -> None:
    value = {"took_ms": 12.5, "at": 1_700_000_000_123, "port": 5038, "ok": True, "none": None}
    assert Redactor().value(value) == value


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_caller_s_name_cannot_forge_a_line_or_steer_a_terminal(
    form: Literal["json", "console"],
) -> None:
    stream = start(form)
    get_logger("x").info("seen", caller="Bob\n2030-01-01 forged\x1b[2J\x9b\u2028\udce9")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not any(char in text for char in "\x1b\x9b\u2028\udce9")
    text.encode()


def test_a_library_s_message_cannot_forge_a_line_either() -> None:
    stream = start("console")
    logging.getLogger("lib").warning("from %s", "Bob\n2030-01-01 [error] forged")
    assert stream.getvalue().count("\n") == 1


def test_a_short_secret_does_not_black_out_the_log() -> None:
    redactor = Redactor([Secret("a")])
    assert redactor.text("a call") == "a call"
    assert redactor.value({"secret": "a"}) == {"secret": MASK}
