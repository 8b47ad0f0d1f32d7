# SPDX-License-Identifier: Apache-2.0
"""Late tones, lamps and desktop events over a scripted AMI: told once, and never in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from ami.events.types import UserEvent
from ami.pbx import Pbx
from bridges.model import Evidence, Outcome, Verb
from offrecord.config.sections.notify import TellConfig
from offrecord.model.outcome_codes import SOUNDS
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify import late_tone
from offrecord.notify.notifier import Notifier
from tests.kits.ami_client import following
from tests.kits.ami_peer import Action, AmiPeer, Answer, PeerSession
from tests.kits.waiting import eventually

ALL = "call,reporting,originate,user"
PHONE = "PJSIP/410-00000001"


def press(name: str = "p1", uniqueid: str | None = "1.1", **more: object) -> Press:
    given = {"channel": PHONE, "agent": "fred", **more}
    return Press(name, Verb.STOP, "keypad", "1.1", 1, 1.0, uniqueid=uniqueid, **given)  # type: ignore[arg-type]


def verdict(outcome: Outcome = Outcome.FAILED) -> Verdict:
    return Verdict("p1", Verb.STOP, outcome, Evidence.NONE, "because", 0.1, "1.1")


class Clock:
    """A clock that stands still but for sleepers."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def telling(
    pbx: Pbx, clock: Clock | None = None, **settings: object
) -> AsyncIterator[Notifier]:
    refresh = settings.pop("refresh", 15.0)
    given = TellConfig.model_validate({"lamp": False, **settings})
    clock = clock or Clock()
    one = Notifier(
        pbx,
        given,
        SOUNDS,
        clock=clock,
        sleep=clock.sleep,
        refresh=refresh,  # type: ignore[arg-type]
    )
    end = pbx.subscribe(one.event)
    one.open()
    try:
        yield one
    finally:
        end()
        await one.close()


def listed(peer: AmiPeer) -> None:
    """Have the peer answer DeviceStateList, and Originate, as Asterisk 16 and 22 do."""

    def states(_session: PeerSession, action: Action) -> Answer:
        own = f"ActionID: {action['ActionID']}\r\n"
        rows = "".join(
            f"Event: DeviceStateChange\r\n{own}Device: {device}\r\nState: {state}\r\n\r\n"
            for device, state in peer.device_states.items()
        )
        head = "Response: Success\r\nEventList: start\r\nMessage: x\r\n\r\n"
        end = f"Event: DeviceStateListComplete\r\n{own}EventList: Complete\r\nListItems: 1\r\n"
        return (head + rows + end).encode()

    peer.on("DeviceStateList", states)
    peer.on("Originate", "Response: Success\r\nMessage: Originate successfully queued\r\n")


@asynccontextmanager
async def asterisk(write: str = ALL, version: str = "22") -> AsyncIterator[tuple[AmiPeer, Pbx]]:
    async with AmiPeer(write=write, version=version) as peer:
        listed(peer)
        peer.add(PHONE, "1.1").bridge = "b1"
        peer.add("PJSIP/411-00000002", "1.2", "1.1").bridge = "b1"
        async with following(peer.settings(user_events=True)) as pbx:
            yield peer, pbx


def lamps(peer: AmiPeer) -> dict[str, str]:
    return {
        device.removeprefix("Custom:offrecord-"): state
        for device, state in peer.device_states.items()
    }


def originates(peer: AmiPeer) -> list[Action]:
    return [action for action in peer.received if action["Action"] == "Originate"]


# the lamp


@pytest.mark.parametrize("version", ["22", "16"])
async def test_a_lamp_shows_the_last_state_of_its_extension(version: str) -> None:
    async with asterisk("call,reporting", version) as (peer, pbx), telling(pbx, lamp=True) as one:
        for state, shown in (
            ("stopped", "INUSE"), ("failed", "RINGING"), ("paused", "INUSE"),
            ("recording", "NOT_INUSE"), ("failed", "RINGING"), ("off", "NOT_INUSE"),
        ):  # fmt: skip
            one.state("410", state)
            await eventually(lambda shown=shown: lamps(peer).get("410") == shown)  # type: ignore[misc]
        assert not one.lost


async def test_lamps_left_burning_by_an_earlier_life_are_put_out() -> None:
    async with asterisk() as (peer, pbx):
        peer.device_states |= {
            "Custom:offrecord-410": "RINGING",
            "Custom:offrecord-411": "INUSE",
            "Custom:offrecord-probe": "INUSE",
            "Custom:DND411": "INUSE",
            "Custom:offrecord-412": "NOT_INUSE",
        }
        async with telling(pbx, lamp=True) as one:
            one.state("411", "stopped")
            await eventually(lambda: lamps(peer)["410"] == "NOT_INUSE")
            await eventually(lambda: peer.names().count("Setvar") == 2)
            assert lamps(peer)["411"] == "INUSE"
            assert peer.device_states["Custom:DND411"] == "INUSE"
            assert peer.device_states["Custom:offrecord-probe"] == "INUSE"


async def test_a_lamp_goes_out_with_the_last_call_of_its_extension() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, lamp=True) as one:
        peer.add("PJSIP/410-00000009", "1.9")
        await eventually(lambda: len(pbx.graph.live_on("410")) == 2)
        one.state("410", "stopped")
        one.state("411", "failed")
        await eventually(lambda: lamps(peer).get("411") == "RINGING")
        peer.hangup("1.1")
        await eventually(lambda: len(pbx.graph.live_on("410")) == 1)
        peer.hangup("1.2")
        await eventually(lambda: lamps(peer).get("411") == "NOT_INUSE")
        assert lamps(peer)["410"] == "INUSE"
        peer.hangup("1.9")
        await eventually(lambda: lamps(peer).get("410") == "NOT_INUSE")


async def test_what_changed_while_the_pbx_was_away_is_shown_when_it_is_back() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, lamp=True) as one:
        one.state("410", "failed")
        await eventually(lambda: lamps(peer).get("410") == "RINGING")
        await peer.silence()
        await eventually(lambda: pbx.link.state.name != "UP")
        with capture_logs() as logs:
            one.state("410", "paused")
            one.state("410", "failed")
            one.state("410", "stopped")
            await eventually(lambda: any(line["event"] == "lamps_wait" for line in logs))
        await peer.listen()
        await eventually(lambda: lamps(peer)["410"] == "INUSE")
        assert not one.lost


async def test_a_lamp_that_burns_is_looked_after() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, lamp=True, refresh=0.02) as one:
        one.state("410", "stopped")
        await eventually(lambda: lamps(peer).get("410") == "INUSE")
        peer.device_states.clear()  # Asterisk was restarted, and its database lost
        await eventually(lambda: lamps(peer).get("410") == "INUSE")
        one.state("499", "failed")  # an extension that is on no call
        await eventually(lambda: lamps(peer).get("499") == "RINGING")
        await eventually(lambda: lamps(peer).get("499") == "NOT_INUSE")


async def test_a_lamp_that_is_refused_is_counted_and_said_with_what_to_do() -> None:
    async with asterisk("reporting") as (_, pbx), telling(pbx, lamp=True) as one:
        with capture_logs() as logs:
            one.state("410", "stopped")
            await eventually(lambda: one.lost["lamp"])
        assert [line["fix"] for line in logs if line["event"] == "lamp_refused"] == [
            "give the AMI account write = call"
        ]


async def test_odd_extensions_and_states_reach_no_pbx() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, lamp=True) as one:
        for extension, state in (("4)10", "stopped"), ("410\r\nX: y", "off"), ("410", "party")):
            one.state(extension, state)
        one.state(None, "stopped")
        one.state("410", "stopped")
        await eventually(lambda: lamps(peer) == {"410": "INUSE"})
        assert one.lost["lamp"] == 3


# the late tone


async def test_only_who_has_not_heard_the_tone_gets_a_whisper() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        one.verdict(press("heard", "1.2"), verdict(), "PJSIP/411-00000002", True)
        one.verdict(press("gone"), verdict(Outcome.CALL_ENDED), PHONE, False)
        one.verdict(press("cli", None, channel=None), verdict(), None, False)
        one.verdict(press("late"), verdict(Outcome.ACCEPTED), PHONE, False)
        await eventually(lambda: originates(peer))
        [sent] = originates(peer)
        assert sent["Channel"] == "Local/whisper@offrecord-tell/n"
        assert sent["Variable"] == "OFFRECORD_TELL_SOUNDS=beep&beep"
        assert not one.lost


async def test_who_paused_is_reminded_before_the_pause_ends() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        one.remind(PHONE, "1.1")
        one.reminder = ("ascending-2tone", "descending-2tone")
        one.remind("", "1.1")
        one.remind(PHONE, "1.1")
        await eventually(lambda: originates(peer))
        [sent] = originates(peer)
        assert sent["Variable"] == "OFFRECORD_TELL_SOUNDS=ascending-2tone&descending-2tone"


async def test_whispers_to_one_channel_are_spaced_and_only_the_newest_waits() -> None:
    clock = Clock()
    async with asterisk() as (peer, pbx), telling(pbx, clock, whisper=True) as one:
        one.verdict(press(), verdict(Outcome.ACCEPTED), PHONE, False)
        await eventually(lambda: len(originates(peer)) == 1)
        one.repeat(press(), verdict(Outcome.DENIED), PHONE)
        one.repeat(press(), verdict(Outcome.FAILED), PHONE)
        await eventually(lambda: len(originates(peer)) == 2)
        assert originates(peer)[1]["Variable"] == "OFFRECORD_TELL_SOUNDS=beeperr"
        assert clock.slept == [late_tone.SPACING]


async def test_a_whisper_goes_to_the_channel_by_its_name_of_now() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        given: list[tuple[str, ...]] = []

        def keep(_session: PeerSession, action: Action) -> Answer:
            given.append(tuple(action))
            return b"Response: Success\r\nMessage: Originate successfully queued\r\n"

        peer.on("Originate", keep)
        peer.event(
            "Rename",
            "Channel: PJSIP/410-00000001\r\nNewname: PJSIP/410-0000000a\r\nUniqueid: 1.1\r\n",
        )
        await eventually(lambda: pbx.graph.channel("1.1").name.endswith("a"))  # type: ignore[union-attr]
        assert one._where(press(), PHONE) == ("PJSIP/410-0000000a", "410")
        one.repeat(press(), verdict(), PHONE)
        await eventually(lambda: given)


async def test_a_whisper_that_comes_too_late_is_not_played() -> None:
    clock = Clock()
    async with asterisk() as (peer, pbx):
        lost: list[str] = []
        one = late_tone.Whispers(pbx, lost.append, clock, clock.sleep)
        one.put(PHONE, "1.1", ("beep",))
        clock.time += late_tone.EXPIRES + 0.1
        one.put("PJSIP/411-00000002", "1.2", ("beeperr",))
        task = asyncio.create_task(one.run())
        await eventually(lambda: originates(peer))
        task.cancel()
        assert [sent["Variable"] for sent in originates(peer)] == ["OFFRECORD_TELL_SOUNDS=beeperr"]
        assert lost == ["whisper"]


async def test_a_full_queue_drops_the_oldest() -> None:
    async with asterisk() as (peer, pbx):
        lost: list[str] = []
        clock = Clock()
        one = late_tone.Whispers(pbx, lost.append, clock, clock.sleep)
        for number in range(late_tone.LIMIT + 2):
            one.put(PHONE, f"1.{number}", (f"sound-{number}",))
        one.put(PHONE, "1.9", ("newer",))  # in the place of an older one
        assert (len(one), lost) == (late_tone.LIMIT, ["whisper", "whisper"])
        task = asyncio.create_task(one.run())
        await eventually(lambda: originates(peer))
        task.cancel()
        assert originates(peer)[0]["Variable"] == "OFFRECORD_TELL_SOUNDS=sound-2"


async def test_without_the_privilege_a_whisper_is_counted_and_said_with_what_to_do() -> None:
    async with asterisk("call,reporting") as (_, pbx), telling(pbx, whisper=True) as one:
        with capture_logs() as logs:
            one.repeat(press(), verdict(), PHONE)
            await eventually(lambda: one.lost["whisper"])
        [line] = [line for line in logs if line["event"] == "whisper_lost"]
        assert line["problem"] == "Permission denied"
        assert line["fix"] == "the AMI account: give it write = originate"


MISSING = "Response: Error\r\nMessage: Did not find context offrecord-tell\r\n"
SHOWN = (
    "Response: Success\r\nEventList: start\r\nMessage: DialPlan list will follow\r\n\r\n"
    "Event: ListDialplan\r\nActionID: {id}\r\nContext: offrecord-tell\r\n\r\n"
    "Event: ShowDialPlanComplete\r\nActionID: {id}\r\nEventList: Complete\r\nListItems: 1\r\n"
)


def unplayed(
    peer: AmiPeer,
    context: str = "offrecord-tell",
    response: str = "Failure",
    exten: str = "play",
) -> None:
    """Have the PBX tell what became of an Originate, as Asterisk 16 and 22 do."""
    peer.event(
        "OriginateResponse",
        f"Response: {response}\r\nChannel: Local/whisper@offrecord-tell/n\r\n"
        f"Context: {context}\r\nExten: {exten}\r\nReason: 0\r\nUniqueid: <null>\r\n",
        "call",
    )


async def test_a_whisper_into_a_context_that_is_missing_is_said_once_with_the_fix() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        peer.on("ShowDialPlan", MISSING)
        with capture_logs() as logs:
            for count in (1, 2):
                unplayed(peer)
                await eventually(lambda count=count: one.lost["whisper"] == count)  # type: ignore[misc]
                await eventually(lambda: "ShowDialPlan" in peer.names())
            unplayed(peer, response="Success")  # somebody mended it
            unplayed(peer)
            await eventually(lambda: peer.names().count("ShowDialPlan") == 2)
            await eventually(lambda: len(logs) == 2)
        for line in logs:
            assert (line["event"], line["log_level"]) == ("whisper_not_played", "warning")
            assert line["problem"] == "the dialplan lacks whisper@offrecord-tell"
            assert '#include "extensions-tell.conf"' in line["fix"]


async def test_a_whisper_that_is_refused_for_its_missing_context_is_said_with_the_fix() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        peer.on("Originate", "Response: Error\r\nMessage: Extension does not exist.\r\n")
        peer.on("ShowDialPlan", MISSING)
        with capture_logs() as logs:
            one.repeat(press(), verdict(), PHONE)
            await eventually(lambda: len(logs) == 2)
        lost, unplayed_ = logs
        assert (lost["event"], lost["problem"]) == ("whisper_lost", "Extension does not exist.")
        assert "fix" not in lost
        assert unplayed_["problem"] == "the dialplan lacks whisper@offrecord-tell"


async def test_a_whisper_to_somebody_who_hung_up_is_counted_and_no_warning() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        peer.on("ShowDialPlan", lambda _, action: SHOWN.format(id=action["ActionID"]).encode())
        with capture_logs() as logs:
            unplayed(peer)
            await eventually(lambda: bool(logs))
        assert one.lost["whisper"] == 1
        assert [line["log_level"] for line in logs] == ["debug"]


async def test_the_calls_that_others_place_are_nobodys_whispers() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:
        unplayed(peer, context="from-internal")
        unplayed(peer, exten="music")
        unplayed(peer)
        await eventually(lambda: bool(one.lost["whisper"]))
        assert one.lost["whisper"] == 1


async def test_a_whisper_whose_answer_was_lost_is_not_sent_again() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, whisper=True) as one:

        def cut(session: PeerSession, _action: Action) -> Answer:
            session.cut()
            return None

        peer.on("Originate", cut)
        one.repeat(press(), verdict(), PHONE)
        await eventually(lambda: one.lost["whisper"])
        await eventually(lambda: pbx.link.state.name == "UP" and len(peer.sessions) == 2)
        assert len(originates(peer)) == 1


# the desktop event


async def test_a_verdict_is_raised_as_a_user_event_that_is_no_press() -> None:
    async with asterisk() as (peer, pbx), telling(pbx, event=True) as one:
        seen: list[UserEvent] = []
        pbx.subscribe(lambda event, _: seen.append(event) if isinstance(event, UserEvent) else None)
        one.verdict(press(), verdict(Outcome.CONFIRMED), PHONE, True)
        one.verdict(press("p2", agent=None), verdict(), PHONE, False, agent="wilma")
        await eventually(lambda: len([e for e in seen if e.name == "offrecord-verdict"]) == 2)
        first, second = [a for a in peer.received if a.get("UserEvent") == "offrecord-verdict"]
        assert (first["Press"], first["Outcome"], first["Agent"]) == ("p1", "confirmed", "fred")
        assert (first["Extension"], first["Channel"], first["Uniqueid"]) == ("410", PHONE, "1.1")
        assert (second["Agent"], second["Evidence"]) == ("wilma", "-")
        assert not originates(peer)
        assert not one.lost


async def test_without_the_privilege_an_event_is_counted_and_said_with_what_to_do() -> None:
    async with asterisk("call,reporting") as (_, pbx), telling(pbx, event=True) as one:
        with capture_logs() as logs:
            one.verdict(press(), verdict(), PHONE, True)
            await eventually(lambda: one.lost["event"])
        assert "write = user" in next(line["fix"] for line in logs if line["event"] == "event_lost")


# never in the way


async def test_nothing_raises_or_waits_while_the_pbx_is_away() -> None:
    async with asterisk() as (peer, pbx):
        async with telling(pbx, lamp=True, whisper=True, event=True) as one:
            await peer.silence()
            await eventually(lambda: pbx.link.state.name != "UP")
            one.verdict(press(), verdict(), PHONE, False)
            one.repeat(press("p2", "1.2"), verdict(), "PJSIP/411-00000002")
            one.state("410", "failed")
            await eventually(lambda: one.lost["whisper"] == 2 and one.lost["event"] == 1)
        await peer.listen()


async def test_it_closes_within_a_second_though_the_pbx_says_nothing() -> None:
    ways = {"lamp": True, "whisper": True, "event": True}
    async with asterisk() as (peer, pbx), telling(pbx, **ways) as one:
        one.state("410", "failed")
        await eventually(lambda: lamps(peer).get("410") == "RINGING")
        for action in ("Setvar", "UserEvent", "Originate"):
            peer.on(action, None)
        one.verdict(press(), verdict(), PHONE, False)
        one.state("411", "failed")
        started = asyncio.get_running_loop().time()
        await one.close()
        assert asyncio.get_running_loop().time() - started < 1


async def test_it_leaves_no_lamp_burning() -> None:
    async with asterisk() as (peer, pbx):
        async with telling(pbx, lamp=True) as one:
            one.state("410", "failed")
            one.state("411", "stopped")
            await eventually(lambda: lamps(peer) == {"410": "RINGING", "411": "INUSE"})
        assert lamps(peer) == {"410": "NOT_INUSE", "411": "NOT_INUSE"}
