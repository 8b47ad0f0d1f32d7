# SPDX-License-Identifier: Apache-2.0
"""Applications that record the channel that runs them: named, and never said to be stopped."""

import pytest

from ami.errors import AmiDenied
from ami.events.headers import ChannelRow
from ami.link.actions import Response
from bridges.asterisk.look import PbxLook
from bridges.asterisk.ways.applications import Applications
from bridges.asterisk.ways.way import Sweep, WayReport, WayState
from tests.kits.call_kit import TWO_PHONES, graph, hangup, row
from tests.kits.mixmonitor_kit import FakePbx, answer, no_sleep, order


class Pbx(FakePbx):
    """A PBX that lists `rows`, when it is asked."""

    rows: tuple[ChannelRow, ...] = ()
    denied = False
    gone: frozenset[str] = frozenset()

    async def action_list(
        self,
        name: str,
        _fields: object,
        *,
        timeout: float,
    ) -> list[Response]:
        if self.denied:
            raise AmiDenied(name, "Permission denied")
        rows = self.rows if name == "CoreShowChannels" else ()
        return [
            Response(
                ok=True, message="", output=(),
                headers={"Channel": one.channel, "Uniqueid": one.uniqueid,
                         "Application": one.application},
            )
            for one in rows
        ]  # fmt: skip

    async def getvar(self, uniqueid: str, _name: str) -> str:
        if uniqueid in self.gone:
            raise AmiDenied("Getvar", "No such channel")
        return "Up"

    async def action(self, name: str, fields: object) -> Response:
        return answer()


def talking(application: str = "Dial") -> tuple[ChannelRow, ChannelRow]:
    one, two = row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1")
    return one._replace(application=application), two


def pbx_of_two() -> Pbx:
    return Pbx(graph(*TWO_PHONES))


async def stop(pbx: Pbx, look: PbxLook) -> WayReport:
    sweep = Sweep(pbx, order(pbx), look, lambda: 0.0, no_sleep)  # type: ignore[arg-type]
    return await Applications().stop(sweep)


def seen(*rows: ChannelRow) -> PbxLook:
    return PbxLook({one.uniqueid: one for one in rows})


@pytest.mark.parametrize("application", ["Record", "VoiceMail", "Dictate", "voicemailmain"])
async def test_a_channel_that_records_itself_is_named(application: str) -> None:
    report = await stop(pbx_of_two(), seen(*talking(application)))
    assert report.state is WayState.RECORDS
    assert report.detail.startswith("SIP/410 (410) is in ")
    assert report.detail.endswith("(): a press cannot stop it but by hanging up")
    assert report.fix.startswith("hang up SIP/410 (410)")


async def test_other_applications_record_nothing() -> None:
    for application in ("Dial", "Queue", "ConfBridge", "AppDial", ""):
        report = await stop(pbx_of_two(), seen(*talking(application)))
        assert report.state is WayState.NOTHING


async def test_a_channel_that_came_after_the_look_is_looked_for() -> None:
    pbx = pbx_of_two()
    pbx.rows = talking("Record")
    report = await stop(pbx, seen(talking()[1]))
    assert report.state is WayState.RECORDS


async def test_what_no_listing_shows_is_not_seen() -> None:
    pbx = pbx_of_two()
    pbx.rows = talking()[:1]
    report = await stop(pbx, seen())
    assert report.state is WayState.NOT_SEEN
    assert "SIP/411-2" in report.detail


async def test_a_channel_whose_hangup_is_on_its_way_is_not_waited_for() -> None:
    pbx = pbx_of_two()
    pbx.rows, pbx.gone = talking()[:1], frozenset({"1.2"})
    assert (await stop(pbx, seen())).state is WayState.NOTHING


async def test_a_listing_that_is_refused_is_told() -> None:
    pbx = pbx_of_two()
    pbx.denied = True
    with pytest.raises(AmiDenied):
        await stop(pbx, seen())


async def test_a_call_that_is_over_is_told_as_ended() -> None:
    pbx = pbx_of_two()
    sweep = Sweep(pbx, order(pbx), seen(), lambda: 0.0, no_sleep)  # type: ignore[arg-type]
    for uniqueid in ("1.1", "1.2"):
        pbx.graph.apply(hangup(uniqueid))
    assert (await Applications().stop(sweep)).state is WayState.ENDED
    assert (await Applications().resume(sweep)).state is WayState.NOTHING
    assert Applications().plan(sweep) == ()
