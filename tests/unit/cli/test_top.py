# SPDX-License-Identifier: Apache-2.0
"""The live view of the terminal: lines of the daemon in, what a person reads out."""

from dataclasses import asdict
from typing import Any

from rich.console import Console

from offrecord.cli.commands.look.top_screen import KEPT, View
from tests.kits.view_kit import call_view, channel_view, recorder_status


def screen(view: View, width: int = 160, height: int = 40, now: float = 1000.0) -> str:
    console = Console(width=width, height=height, color_system=None, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(view.render(now, height))
    return captured.get()


def call(number: int = 1, **recorder: Any) -> dict[str, Any]:
    view = call_view(
        f"{number}.1", recorder_status("local", **recorder), extensions=("410",),
        agents={"410": "fred"},
        channels=(channel_view("SIP/410-1", "410"), channel_view("SIP/my-trunk-2")),
    )  # fmt: skip
    return asdict(view)


def seen(*calls: dict[str, Any], known: bool = True) -> View:
    view = View()
    view.take({"known": known, "calls": list(calls)})
    return view


def news(kind: str, press: str = "p1", **body: Any) -> dict[str, Any]:
    return {"number": 1, "kind": kind, "at": 500_000, "press": press, "body": body}


def test_a_call_is_shown_with_its_people_and_who_records_it() -> None:
    shown = screen(seen(call()))
    assert "1 call up" in shown
    assert "410 (fred), SIP/my-trunk-2" in shown
    assert "local recording" in shown


def test_a_pause_counts_down() -> None:
    view = seen(call(state="paused", until=1_151_000))
    assert "local paused 2:31 left" in screen(view, now=1000.0)
    assert "local paused 0:01 left" in screen(view, now=1150.0)
    assert "local paused 0:00 left" in screen(view, now=1999.0)


def test_a_stop_that_is_only_accepted_says_so() -> None:
    assert "local stopped (accepted)" in screen(seen(call(state="stopped", outcome="accepted")))
    shown = screen(seen(call(state="stopped", outcome="confirmed")))
    assert "local stopped" in shown
    assert "confirmed" not in shown


def test_a_lost_link_is_said_beside_calls_that_may_be_old() -> None:
    assert "the link to the PBX is down" in screen(seen(call(), known=False))
    assert "the link to the PBX is down" not in screen(seen(call()))


def test_a_press_is_followed_to_its_end() -> None:
    view = seen(call())
    view.take(news("pressed", verb="stop", way="fastagi", channel="SIP/410-1"))
    assert "pressed" in screen(view)
    view.take(news("resolved", call="1.1"))
    assert "call found" in screen(view)
    view.take(news("verdict", outcome="failed", text="Still recording.", took_ms=12.5))
    shown = screen(view)
    assert "failed" in shown
    assert "12.5" in shown
    assert "Still recording." in shown
    view.take(news("retried", recorder="noojee", outcome="failed", detail="it is away"))
    assert "it is away" in screen(view)
    view.take(news("closed", outcome="confirmed", why="solved", reason="none is left"))
    assert "confirmed" in screen(view)


def test_the_latest_presses_come_first_and_old_ones_go() -> None:
    view = seen()
    for place in range(KEPT + 5):
        view.take(news("pressed", press=f"p{place:04d}", verb="stop", target="410"))
    assert len(view.presses) == KEPT
    lines = [line for line in screen(view).splitlines() if line.startswith("p0")]
    assert lines[0].startswith("p0104")
    assert lines == sorted(lines, reverse=True)


def test_more_calls_than_lines_are_counted() -> None:
    shown = screen(seen(*(call(number) for number in range(1, 51))), height=20)
    assert "50 calls up" in shown
    assert "… and 43 more" in shown
    assert len(shown.splitlines()) <= 20


def test_names_from_outside_are_text() -> None:
    shown = screen(seen({**call(), "extensions": ["[red]410"], "agents": {}}))
    assert "[red]410" in shown
