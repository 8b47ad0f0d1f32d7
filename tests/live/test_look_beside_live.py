# SPDX-License-Identifier: Apache-2.0
"""A route that asks another system alone, on a call that Asterisk itself records."""

from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx_with_phones import is_event
from tests.kits.live_kit import SiteMaker

ELSEWHERE: dict[str, Any] = {"routes": {"default": ["noojee"]}}


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_mixmonitor_that_no_route_stops_makes_the_press_fail(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=ELSEWHERE) as here:
        talk = await here.talk("811")
        await here.pbx.wait_for(is_event("MixMonitorStart"))
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        assert press.outcome == Outcome.FAILED
        told = await here.ask({"op": "explain", "target": "410"})
        assert f"MixMonitor on {talk.calling['Channel']} records on this PBX" in told["beside"]
        assert told["beside"].endswith('write default = ["noojee", "local"] in [routes]')
        assert len(here.stops()) >= 1
        assert not here.pbx.named("MixMonitorStop")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_plain_call_is_judged_by_the_other_system_alone(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=ELSEWHERE) as here:
        talk = await here.talk("711")  # which records nothing, and gives nobody the codes
        told = await here.ask({"op": "press", "way": "cli", "verb": "stop", "wait": 5.0,
                               "uniqueid": talk.calling["Uniqueid"]})  # fmt: skip
        assert told["outcome"] == Outcome.ACCEPTED
        assert [one["recorder"] for one in told["recorders"]] == ["noojee"]
        alone = await here.ask({"op": "press", "way": "cli", "verb": "stop", "wait": 5.0,
                                "uniqueid": talk.calling["Uniqueid"],
                                "recorder": "noojee"})  # fmt: skip
        assert alone["text"].startswith("Of noojee alone: ")
