# SPDX-License-Identifier: Apache-2.0
"""Recordings that ARI applications make of a call: of its bridge, its channels, its Snoops.

With an ARI account they are found by name, stopped (204, then 404) and paused (204, and the state
read back). Without one the recording of a bridge is still seen by its hidden channel; it is ended
by hanging that up only where the site allows it. What cannot be seen is said to be so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ami.errors import AmiDenied
from bridges.asterisk.ari.client import AriError, LiveRecording
from bridges.asterisk.ari.recordings import AriRecordings
from bridges.asterisk.ari.scene import AriScene, recorders, scene_of
from bridges.asterisk.ari.site import NO_ARI, Ari
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState
from bridges.model import Evidence, Verb

GIVE_ACCOUNT: Final = (
    "give an ARI account: `offrecord init --ari`, or `url`, `username` and `secret` in [ari]"
)
_SEE_LOG: Final = "see Asterisk's log"
_ROUNDS: Final = 4
"""How often recordings are looked for again because one started meanwhile."""

_TICK: Final = 0.02
"""Seconds between two looks for a channel that is being hung up."""

_TICKS: Final = 25
"""How often such a channel is looked for."""

_DONE: Final = {Verb.STOP: "stopped", Verb.PAUSE: "paused", Verb.RESUME: "resumed"}


class AriWay:
    """Recordings of ARI, with the site's account for it or without one."""

    name = "ari"

    def __init__(self, ari: Ari = NO_ARI) -> None:
        self._ari = ari

    async def stop(self, sweep: Sweep) -> WayReport:
        """End every ARI recording of the call and read back that it is gone."""
        return await self._carry_out(sweep, Verb.STOP)

    async def pause(self, sweep: Sweep) -> WayReport:
        """Pause every ARI recording of the call and read the state back.

        Without an account one is ended instead, where the site allows that.
        """
        return await self._carry_out(sweep, Verb.PAUSE)

    async def resume(self, sweep: Sweep) -> WayReport:
        """Have every paused ARI recording of the call go on."""
        return await self._carry_out(sweep, Verb.RESUME)

    def plan(self, sweep: Sweep) -> Iterable[str]:
        """Return the requests that a stop would make, as far as events have told."""
        scene, known = scene_of(sweep.order.call, sweep.look), self._ari.recordings
        if known is not None:
            of_call = (one for one in known.seen() if one.target in scene.targets)
            return [known.client.stop_request(one.name) for one in of_call]
        if self._ari.hang_up_recorders:
            return [f"Hangup Channel={name}" for name in scene.recorders]
        return []

    async def _carry_out(self, sweep: Sweep, verb: Verb) -> WayReport:
        scene = scene_of(sweep.call_now() or sweep.order.call, sweep.look)
        if not scene.possible:
            if scene.alive:
                return WayReport(self.name, WayState.NOTHING, "")
            return WayReport(self.name, WayState.ENDED, ENDED)
        scene = replace(scene, recorders=await _recorders_now(sweep, scene))
        return await _Carrying(self._ari, sweep, scene, verb).carry_out()


@dataclass(slots=True)
class _Carrying:
    """One order on a call that ARI may record, and what it came to so far.

    `done`, `bad` and `unseen` are words for people; `names` the recordings that were acted upon,
    `bridged` how many of them are of a bridge.
    """

    ari: Ari
    sweep: Sweep
    scene: AriScene
    verb: Verb
    names: set[str] = field(default_factory=set)
    bridged: int = 0
    done: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    fix: str = ""

    async def carry_out(self) -> WayReport:
        known = self.ari.recordings
        if known is None:
            await self._without(GIVE_ACCOUNT)
        else:
            try:
                await self._by_ari(known)
            except AriError as problem:
                of_call = [one for one in known.seen() if one.target in self.scene.targets]
                missed = [one for one in of_call if one.name not in self.names]
                self.bad += [f"{self._words(one)}: {problem.message}" for one in missed]
                await self._without(problem.fix, problem.message)
        if self.scene.problem:
            # the same for every way that needs the look, and said once
            self.unseen.append(self.scene.problem)
        return self._report()

    # with an account

    async def _by_ari(self, known: AriRecordings) -> None:
        """Act on every recording of the call, and again on those that begin meanwhile."""
        ask = False
        for _ in range(_ROUNDS):
            live = await known.live(self.sweep.order.budget / 2, ask=ask)
            new = [one for one in live if one.target in self.scene.targets]
            new = [one for one in new if one.name not in self.names]
            for one in new:
                await self._act(known, one)
            if not new and (ask or self.bridged >= len(self.scene.recorders)):
                break
            # A recorder that no known recording accounts for: its event may be on its way.
            ask = not new
        else:
            self.bad.append("ARI applications keep starting recordings of this call")
            self.fix = "see what starts them"
        await self._unaccounted()

    async def _act(self, known: AriRecordings, one: LiveRecording) -> None:
        """Act on one recording and read back what came of it."""
        client, trace = known.client, self.sweep.steps.append
        self.names.add(one.name)
        self.bridged += one.target.startswith("bridge:")
        if one.target in self.scene.snoops:
            self.sweep.recorded_listeners.add(self.scene.snoops[one.target])
        if self.verb is Verb.RESUME:
            now = await known.find(one.name)
            if now is None or not now.paused:
                return
        send = {Verb.STOP: client.stop, Verb.PAUSE: client.pause, Verb.RESUME: client.unpause}
        sent = await send[self.verb](one.name, trace)
        left = await known.find(one.name, trace)
        if left is None:
            if sent and self.verb is Verb.STOP:
                self.done.append(f"{self._words(one)} stopped")
        elif self.verb is not Verb.STOP and left.paused is (self.verb is Verb.PAUSE):
            self.done.append(f"{self._words(one)} {_DONE[self.verb]}")
        else:
            self.bad.append(f"{self._words(one)} is still {left.state}")
            self.fix = _SEE_LOG

    async def _unaccounted(self) -> None:
        """Deal with hidden recorders of this call that none of ARI's recordings accounts for."""
        expected = 0 if self.verb is Verb.STOP else self.bridged
        if self.verb is Verb.RESUME or len(self.scene.recorders) <= expected:
            return
        left = [name for name in self.scene.recorders if not await _gone(self.sweep, name, _TICKS)]
        if len(left) > expected:
            await self._hang_up(left, "ARI does not list its recording")
            self.fix = self.fix or _SEE_LOG

    # without an account

    async def _without(self, fix: str, why: str = "") -> None:
        """Deal with what the AMI account alone shows; `why` ARI could not be asked."""
        scene, because = self.scene, f": {why}" if why else ""
        self.fix = scene.fix if scene.problem and not why else fix
        if self.verb is Verb.RESUME:
            if why:
                self.unseen.append(f"whether ARI has paused a recording is not known{because}")
            return
        there = [name for name in scene.recorders if not await _gone(self.sweep, name, 1)]
        await self._hang_up(there, why)
        self.unseen += [
            f"whether ARI records {name}, which is in an application of it, cannot be seen{because}"
            for name in scene.alone
        ]
        if why:
            # without any account these are for the way that looks for taps
            names = ", ".join(scene.targets[target] for target in scene.snoops)
            self.unseen += [f"whether ARI records {names} is not known{because}"] if names else []

    async def _hang_up(self, names: Sequence[str], why: str) -> None:
        """End recordings of a bridge by their channels, where the site allows it."""
        sweep = self.sweep
        for name in names:
            text = f"{name} records this call by ARI" + (f" ({why})" if why else "")
            if not self.ari.hang_up_recorders:
                self.bad.append(text)
                continue
            since = sweep.clock()
            answer = await sweep.pbx.action("Hangup", {"Channel": name})
            sweep.note(since, f"Hangup {name}", answer.message, Evidence.ACCEPTED)
            if await _gone(sweep, name, _TICKS):
                self.done.append(f"{name} hung up, which ended its recording")
            else:
                self.bad.append(f"{text}, and was not ended by hanging it up ({answer.message})")

    # what it came to

    def _report(self) -> WayReport:
        count = len(self.done)
        if self.bad or self.unseen:
            state = WayState.RECORDS if self.bad else WayState.NOT_SEEN
            detail = "; ".join((*self.done, *self.bad, *self.unseen))
            return WayReport(AriWay.name, state, detail, count, self.fix)
        if self.done:
            state = WayState.RESUMED if self.verb is Verb.RESUME else WayState.STOPPED
            return WayReport(AriWay.name, state, "; ".join(self.done), count)
        if not self.scene.alive:
            return WayReport(AriWay.name, WayState.ENDED, ENDED)
        return WayReport(AriWay.name, WayState.NOTHING, "")

    def _words(self, one: LiveRecording) -> str:
        return f"ARI recording {one.name!r} of {self.scene.targets[one.target]}"


async def _recorders_now(sweep: Sweep, scene: AriScene) -> tuple[str, ...]:
    """Return the recorders of the call's bridges: those of the look, and those there by now.

    The look names only so many hidden channels; a leg names those in its own bridge.
    """
    names = list(scene.recorders)
    for leg in scene.legs:
        try:
            names += (await sweep.pbx.getvar(leg, "BRIDGEPEER")).split(",")
        except AmiDenied:
            continue  # it has gone
    return recorders(names)


async def _gone(sweep: Sweep, name: str, ticks: int) -> bool:
    """Return whether a hidden channel is no more, looking again for `ticks` ticks."""
    for tick in range(ticks):
        if tick:
            await sweep.sleep(_TICK)
        try:
            await sweep.pbx.getvar(name, "CHANNEL(linkedid)")
        except AmiDenied:
            return True
    return False
