# SPDX-License-Identifier: Apache-2.0
"""Record what a real Asterisk says on AMI during whole calls, as fixtures for tests.

`python -m lab.capture_fixtures FOLDER` plays each scene on Asterisk 22 and 16 and writes the raw
bytes that the daemon's own account was sent, one file a scene. A scene starts and ends with no
channel: a replay of it must end with an empty call graph.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from lab.pbx.ports import free_tcp
from lab.pbx.second_ami import Packet, SecondAmi
from lab.pbx_with_phones import AMI_SECRET, PbxWithPhones, People, is_event, pbx_with_phones

Scene = Callable[[SecondAmi, People, PbxWithPhones], Awaitable[None]]


async def _entered(pbx: SecondAmi, channel: str) -> Packet:
    """Wait until a channel whose name starts with `channel` has entered a bridge."""
    _, packet = await pbx.wait_for(
        lambda p: is_event("BridgeEnter")(p) and p["Channel"].startswith(channel)
    )
    return packet


async def plain(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Record a recorded call of two phones; the caller presses *1, and the recording is stopped."""
    caller = await people.call("410", "411")
    await pbx.wait_for(is_event("BridgeEnter", BridgeNumChannels="2"))
    await people.press(caller, "*1")
    start = pbx.named("MixMonitorStart")[0]
    await pbx.action("StopMixMonitor", Channel=start["Uniqueid"])
    await pbx.action("StopMixMonitor", Channel=start["Uniqueid"])
    await people.hang_up(caller)


async def mute(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Mute and unmute the recording of a call."""
    caller = await people.call("410", "411")
    start = pbx.named("MixMonitorStart")[0]
    for state in ("1", "0"):
        await pbx.action("MixMonitorMute", Channel=start["Uniqueid"], Direction="both", State=state)
    await people.hang_up(caller)


async def local(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Call through a Local channel that stays."""
    caller = await people.call("410", "311")
    await pbx.wait_for(is_event("LocalBridge"))
    await asyncio.sleep(0.3)
    await people.hang_up(caller)


async def queue(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Call a queue from outside; the member is a Local channel that is optimised away."""
    mark = people.now
    caller = await people.call("my-trunk", "600")
    await people.answered(mark)
    await asyncio.sleep(0.8)
    await people.hang_up(caller)


async def two_recordings(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Call with two MixMonitors on one channel."""
    caller = await people.call("410", "511")
    await pbx.wait_for(is_event("BridgeEnter", BridgeNumChannels="2"))
    await people.hang_up(caller)


async def blind_transfer(pbx: SecondAmi, people: People, asterisks: PbxWithPhones) -> None:
    """Transfer blindly; the dialplan runs again and a second recording starts on the call."""
    await people.call("410", "811")
    joined = await _entered(pbx, f"{asterisks.technology}/411-")
    await asyncio.sleep(0.2)
    await pbx.action("BlindTransfer", Channel=joined["Channel"], Context="lab-phones", Exten="412")
    await _entered(pbx, f"{asterisks.technology}/412-")
    await asyncio.sleep(0.2)
    await people.hang_up_all()


async def attended_transfer(pbx: SecondAmi, people: People, asterisks: PbxWithPhones) -> None:
    """Transfer with a consultation: two calls become one."""
    await people.call("410", "811")
    joined = await _entered(pbx, f"{asterisks.technology}/411-")
    await asyncio.sleep(0.3)
    mark = people.now
    await pbx.action("Atxfer", Channel=joined["Channel"], Context="lab-phones", Exten="412")
    await _entered(pbx, f"{asterisks.technology}/412-")
    await people.answered(mark)
    await asyncio.sleep(0.5)
    await pbx.action("Hangup", Channel=joined["Channel"])
    await pbx.wait_for(is_event("AttendedTransfer"))
    await asyncio.sleep(0.3)
    await people.hang_up_all()


async def parallel(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Two calls at once, the second one not recorded."""
    await people.call("410", "411")
    await people.call("412", "213")
    await asyncio.sleep(0.2)
    await people.hang_up_all()


async def redirect(pbx: SecondAmi, people: People, asterisks: PbxWithPhones) -> None:
    """Redirect one leg of a bridged call out of its bridge."""
    await people.call("410", "811")
    leg = await _entered(pbx, f"{asterisks.technology}/411-")
    await asyncio.sleep(0.3)
    await pbx.action(
        "Redirect", Channel=leg["Channel"], Context="lab-phones", Exten="905", Priority="1"
    )
    await asyncio.sleep(0.6)


async def conference(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Three phones in a conference that records itself."""
    for phone in ("410", "411", "412"):
        await people.call(phone, "901")
    await pbx.wait_for(is_event("BridgeEnter", BridgeNumChannels="3"))
    await asyncio.sleep(0.5)


async def park(pbx: SecondAmi, people: People, asterisks: PbxWithPhones) -> None:
    """Park both parties of one call and one of another, and fetch the first again."""
    await people.call("410", "811")
    parked = await _entered(pbx, f"{asterisks.technology}/410-")
    await asyncio.sleep(0.3)
    await pbx.action("Park", Channel=parked["Channel"], Timeout="30000")
    await people.call("412", "413")
    other = await _entered(pbx, f"{asterisks.technology}/412-")
    await asyncio.sleep(0.3)
    await pbx.action("Park", Channel=other["Channel"], Timeout="30000")
    await asyncio.sleep(0.5)
    await people.call("413", "904")
    await asyncio.sleep(0.5)


async def bridge(pbx: SecondAmi, people: People, asterisks: PbxWithPhones) -> None:
    """Join legs of two calls by the AMI action Bridge."""
    await people.call("410", "811")
    await people.call("412", "813")
    first = await _entered(pbx, f"{asterisks.technology}/410-")
    second = await _entered(pbx, f"{asterisks.technology}/412-")
    await asyncio.sleep(0.3)
    await pbx.action("Bridge", Channel1=first["Channel"], Channel2=second["Channel"])
    await asyncio.sleep(0.6)


async def pickup(pbx: SecondAmi, people: People, _: PbxWithPhones) -> None:
    """Pick up a ringing, recorded channel by one that is recorded itself."""
    ringing = asyncio.create_task(people.call("410", "902"))
    begun = await pbx.wait_for(
        lambda p: is_event("DialBegin")(p) and p["DestChannel"].startswith("Local/s@lab-ringing")
    )
    target = begun[1]["DestChannel"]
    await pbx.action("MixMonitor", Channel=target, File="lab-pickup.wav")
    await pbx.action("Setvar", Variable="LAB_PICKUP", Value=target)
    await asyncio.sleep(0.3)
    await people.call("412", "903")
    await ringing
    await asyncio.sleep(0.6)


SCENES: dict[str, Scene] = {
    "plain": plain, "mute": mute, "local": local, "queue": queue,
    "two-recordings": two_recordings, "blind-transfer": blind_transfer,
    "attended-transfer": attended_transfer, "parallel": parallel,
    "redirect": redirect, "conference": conference, "park": park, "bridge": bridge,
    "pickup": pickup,
}  # fmt: skip


async def _play(scene: Scene, asterisks: PbxWithPhones, target: Path) -> None:
    async with (
        SecondAmi(asterisks.pbx.ami_port) as pbx,
        SecondAmi(asterisks.farm.ami_port) as farm,
        SecondAmi(asterisks.pbx.ami_port, "offrecord", AMI_SECRET) as daemon,
    ):
        people = People(farm)
        await scene(pbx, people, asterisks)
        await people.hang_up_all()
        async with asyncio.timeout(10):
            while await pbx.channels():
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        target.write_bytes(bytes(daemon.raw))


def main() -> None:
    """Record every scene on both Asterisks into the folder named on the command line."""
    folder = Path(sys.argv[1])
    for release in ("22", "16"):
        with pbx_with_phones(release, fastagi=f"127.0.0.1:{free_tcp()}", label="pbx") as asterisks:
            for name, scene in SCENES.items():
                asyncio.run(_play(scene, asterisks, folder / f"{release}-{name}.ami"))


if __name__ == "__main__":
    main()
