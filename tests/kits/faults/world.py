# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: D105
"""The PBX and the four platforms of a fault run, their calls, and what each of them did when.

Everything a run is judged by comes from here and from the journal: the recorders' own states,
looked at every few milliseconds and after every request, and their own request logs.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from bridges.simulators.genesys import calls as genesys_calls
from bridges.simulators.genesys.app import GenesysSimulator
from bridges.simulators.genesys.switches import GenesysSwitches
from bridges.simulators.harness import Entry, Simulator
from bridges.simulators.imagicle import state as imagicle_suite
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER, ImagicleSimulator
from bridges.simulators.imagicle.switches import ImagicleSwitches
from bridges.simulators.noojee import calls as noojee_calls
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from bridges.simulators.voipnow import calls as voipnow_calls
from bridges.simulators.voipnow.app import DEMO_ID, DEMO_SECRET, VoipNowSimulator
from bridges.simulators.voipnow.switches import VoipNowSwitches
from lab.daemon import DaemonProcess
from lab.pbx.cuttable_link import CuttableLink
from tests.kits.ami_peer import SECRET
from tests.kits.faults.peer import CallChannel, CallPeer

TRUNK: Final = "my-trunk"
GENESYS_PASSWORD: Final = "yabba-dabba-doo"
VENDORS: Final = ("noojee", "voipnow", "imagicle", "genesys")
KINDS: Final = ("local", *VENDORS)
_TICK: Final = 0.005
_COMMANDS: Final = {
    "stop": "silence", "stop_line": "silence", "stop_mine": "silence",
    "pause": "silence", "pause_line": "silence",
    "start": "record", "resume": "record", "resume_line": "record",
}  # fmt: skip
_ARRIVED: ContextVar[float] = ContextVar("arrived")
_ACTED: Final = ("stopped", "started", "paused", "resumed", "Stopped", "Paused", "Recording")


@dataclass(slots=True, eq=False)
class LiveCall:
    """One call on the PBX, and what it is on the platforms that hold it."""

    number: int
    extension: str
    far: str
    agent: str
    trunk: str
    uuid: str
    recorders: tuple[str, ...]
    on: dict[str, Any] = field(default_factory=dict)
    ended: float | None = None

    @property
    def channel(self) -> str:
        """The name of the agent's channel."""
        return f"PJSIP/{self.extension}-{self.number:08x}"


@dataclass(frozen=True, slots=True)
class Command:
    """A request that would change a recording, as the vendor saw it; `wants` is the end of it.

    `came` is when it arrived and `at` when it was carried out, in seconds since the epoch.
    `acted`: it changed the recording. `void`: a fault, or a token that another request had renewed
    meanwhile, kept it from doing anything. `lost`: its answer did not arrive whole. `by_id`: the
    call was named by an id of its own. `read` is True for a mere look at the recording.
    """

    came: float
    at: float
    call: int
    kind: str
    wants: str
    acted: bool
    void: bool
    lost: bool
    by_id: bool
    read: bool = False


_STALE: Final = 401
"""The status of a command whose token is not good any more."""


class World:
    """Everything around the daemon. `folder` is for secrets."""

    def __init__(self, folder: Path, extensions: int) -> None:
        self.peer = CallPeer()
        self.noojee = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(concurrency_limit=50))
        self.voipnow = VoipNowSimulator(switches=VoipNowSwitches(effect_delay=0.1))
        self.imagicle = ImagicleSimulator(switches=ImagicleSwitches(profile="2025"))
        self.genesys = GenesysSimulator(switches=GenesysSwitches())
        self.servers = {kind: SimServer(_timed(self.of(kind))) for kind in VENDORS}
        self.extensions = [str(400 + n) for n in range(extensions)]
        self.calls: dict[int, LiveCall] = {}
        self.up: dict[int, LiveCall] = {}
        self.commands: list[Command] = []
        self.states: dict[tuple[int, str], list[tuple[float, bool]]] = {}
        """Of each call and recorder: since when (seconds since the epoch) it recorded or not."""
        self.away: dict[str, list[float]] = {kind: [] for kind in VENDORS}
        """When the connections of a platform were cut, in seconds since the epoch."""
        self._stack = AsyncExitStack()
        self._began = int(time.time())
        self.link: CuttableLink | None = None

    def of(self, kind: str) -> Simulator:
        made = getattr(self, kind)
        assert isinstance(made, Simulator)
        return made

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.peer)
        self.link = await self._stack.enter_async_context(CuttableLink(self.peer.port))
        for kind, server in self.servers.items():
            await self._stack.enter_async_context(server)
            self.of(kind).log.listen(lambda entry, kind=kind: self._entry(kind, entry))  # type: ignore[misc]
        self.imagicle.state.add_account(DEMO_USER, DEMO_PASSWORD)
        for extension in self.extensions:
            login = f"agent{extension}"
            self.noojee.pbx.add_user(login, extension=extension)
            self.voipnow.site.add_extension(f"0003*{extension}")
            self.genesys.centre.add_agent(login, GENESYS_PASSWORD, extension)
        watching = asyncio.create_task(self._watch(), name="world")
        self._stack.callback(watching.cancel)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def tables(self, daemon: DaemonProcess) -> dict[str, Any]:
        """Return the configuration of a daemon in this world."""
        assert self.link is not None
        password = daemon.secret("genesys.secret", GENESYS_PASSWORD)
        logins = {f"agent{e}": {"username": f"agent{e}", "password": password}
                  for e in self.extensions}  # fmt: skip
        recorders: dict[str, dict[str, Any]] = {
            "noojee": {"api_key": daemon.secret("noojee.key", DEMO_KEY), "auth": "signed"},
            "voipnow": {
                "client_id": DEMO_ID, "client_prefix": "0003", "read_back": 1.0,
                "client_secret": daemon.secret("voipnow.secret", DEMO_SECRET),
            },
            "imagicle": {
                "username": DEMO_USER, "whose": "far",
                "password": daemon.secret("imagicle.secret", DEMO_PASSWORD),
            },
            "genesys": {"accounts": logins, "confirm_within": 0.7},
        }  # fmt: skip
        for kind, table in recorders.items():
            table |= {"kind": kind, "url": self.servers[kind].url, "timeout": 1.0}
        return {
            "ami": {
                "port": self.link.port, "username": "offrecord",
                "secret": daemon.secret("ami.secret", SECRET),
            },
            "agi": {"port": 0},
            "press": {"budget": 2.5, "join_window": 1.0, "wait_known": 1.0},
            # No pause ends by itself before the run does, however slow the machine is.
            "pause": {"ttl": 3600, "maximum": 3600, "extension": 0},
            "log": {"format": "json", "level": "info"},
            "extensions": {"trunks": [TRUNK]},
            "agents": {e: f"agent{e}" for e in self.extensions},
            "recorders": {"local": {"kind": "asterisk"}, **recorders},
            "routes": {"default": ["local"]},
        }  # fmt: skip

    # calls

    def begin(self, extension: str, recorders: tuple[str, ...], *, recorded: bool) -> LiveCall:
        """Let a call of an extension with someone outside begin, held by these recorders."""
        number = len(self.calls) + 1
        base = f"{self._began}.{2 * number}", f"{self._began}.{2 * number + 1}"
        call = LiveCall(
            number, extension, f"0455{number:06}", *base, f"{number:032X}", recorders
        )  # fmt: skip
        login, own = f"agent{extension}", call.channel
        for kind in recorders:
            match kind:
                case "noojee":
                    made: Any = self.noojee.pbx.add_call(own, call.agent, recording=recorded)
                case "voipnow":
                    number_there = f"0003*{extension}"
                    made = self.voipnow.site.add_call(
                        number_there, remote=call.far, recording=recorded
                    )
                case "imagicle":
                    self.imagicle.state.add_line(call.far)
                    made = self.imagicle.state.record(call.far, extension) if recorded else None
                case "genesys":
                    made = self.genesys.centre.add_call(
                        self.genesys.centre.agents[login], call.far, uuid=call.uuid,
                        recording="Recording" if recorded else "Stopped",
                    )  # fmt: skip
                case _:
                    made = None
            call.on[kind] = made
        variables = {
            "OFFRECORD_RECORDERS": ",".join(recorders), "GENESYS_CALL_UUID": call.uuid,
        }  # fmt: skip
        bridge = f"bridge-{number}"
        phone = CallChannel(own, call.agent, call.agent, bridge=bridge, variables=variables,
                            number=extension, connected=call.far)  # fmt: skip
        trunk = CallChannel(f"PJSIP/{TRUNK}-{number:08x}", call.trunk, call.agent, bridge=bridge,
                            number=call.far, connected=extension)  # fmt: skip
        monitors = 1 + number % 2 if recorded and "local" in recorders else 0
        self.peer.place(phone, monitors)
        self.peer.place(trunk, 0)
        self.calls[number] = self.up[number] = call
        self.look()
        return call

    def end(self, call: LiveCall) -> None:
        """Let a call end everywhere."""
        if call.ended is not None:
            return
        self.look()
        call.ended = time.time()
        del self.up[call.number]
        for uniqueid in (call.agent, call.trunk):
            self.peer.hangup(uniqueid)
        for kind, made in call.on.items():
            match made:
                case noojee_calls.SimCall():
                    self.noojee.pbx.hang_up(made)
                case voipnow_calls.SimCall():
                    self.voipnow.site.hang_up(made)
                case genesys_calls.SimCall():
                    self.genesys.centre.hang_up(made)
            if kind == "imagicle":
                state = self.imagicle.state
                state.recordings[:] = [o for o in state.recordings if o.line.number != call.far]
                state.lines[:] = [o for o in state.lines if o.number != call.far]

    # what they do

    def recording(self, call: LiveCall, kind: str) -> bool:
        """Say whether a recorder records sound of a call now, by its own state."""
        made = call.on[kind]
        match kind:
            case "noojee":
                assert isinstance(made, noojee_calls.SimCall)
                return made.recording is not None
            case "voipnow":
                assert isinstance(made, voipnow_calls.SimCall)
                return bool(made.recorded(self.voipnow.clock.now()))
            case "imagicle":
                live: list[imagicle_suite.Recording] = self.imagicle.state.live
                return any(o.line.number == call.far and not o.paused for o in live)
            case "genesys":
                assert isinstance(made, genesys_calls.SimCall)
                return made.recording == "Recording"
        return self.peer.recorded(call.agent, call.trunk)

    def look(self) -> None:
        """Note what has changed."""
        now = time.time()
        for call in self.up.values():
            for kind in call.recorders:
                seen = self.states.setdefault((call.number, kind), [])
                state = self.recording(call, kind)
                if not seen or seen[-1][1] is not state:
                    seen.append((now, state))

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_TICK)

    def _entry(self, kind: str, entry: Entry) -> None:
        self.look()
        call = self._call_of(kind, entry)
        if call is None:
            return
        effect = str(entry.facts.get("effect", ""))
        lost = entry.status is None or bool(entry.fault)
        wants = _COMMANDS.get(entry.operation)
        acted = wants is not None and effect.startswith(_ACTED)
        void = (bool(entry.fault) or entry.status == _STALE) and not acted
        by_id = kind != "noojee" or "." in entry.query.get("extenOrUniqueId", "")
        self.commands.append(
            Command(
                _ARRIVED.get(), time.time(), call.number, kind, wants or "", acted, void, lost,
                by_id, read=wants is None,
            )
        )  # fmt: skip

    def _call_of(self, kind: str, entry: Entry) -> LiveCall | None:
        """Return the call that a request names, by its id or by the number it is known by."""
        words = f"{entry.path}?{entry.raw_query}"
        for call in self.up.values():
            made = call.on.get(kind)
            match kind:
                case "noojee":
                    target = entry.query.get("extenOrUniqueId", "")
                    named = bool(target) and target in (call.agent, call.trunk, call.extension)
                case "voipnow":
                    named = made is not None and made.id in words
                    named = named or f"*{call.extension}" in words.replace("%2A", "*")
                case "genesys":
                    named = call.uuid in words
                case _:
                    live = self.imagicle.state.recordings
                    ids = [one.id.lower() for one in live if one.line.number == call.far]
                    named = call.far in words or any(one in words.lower() for one in ids)
            if named:
                return call
        return None


def _timed(app: ASGIApp) -> ASGIApp:
    """Note when each request of an app arrives."""

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        _ARRIVED.set(time.time())
        with contextlib.suppress(ClientDisconnect):  # a daemon that is killed says no goodbye
            await app(scope, receive, send)

    return timed


FAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "noojee": (
        "reset@stop", "stall=2@stop", "slow_answer=2@stop", "half@stop", "drop_after_effect@stop",
        "status=500@stop", "status=503@Time", "swallow@stop", "empty_200@stop", "junk@stop",
        "expired@stop", "html_200@stop", "drop_after_effect@start",
    ),
    "voipnow": (
        "reset@stop", "stall=2@stop", "slow_answer=2@stop", "half@stop", "drop_after_effect@stop",
        "status=500@list", "status=503@stop", "swallow@stop", "empty_200@stop", "junk@stop",
        "internal_server_error@look", "expire_token@stop", "too_many=1@stop", "swallow@start",
    ),
    "imagicle": (
        "reset@stop", "stall=2@stop", "slow_answer=2@stop", "half@stop", "drop_after_effect@stop",
        "status=500@list", "fault@stop", "late_fault@stop", "late_504@stop", "swallow@stop",
        "contradiction@stop", "swallow@pause", "drop_after_effect@pause",
    ),
    "genesys": (
        "reset@stop", "stall=2@stop", "slow_answer=2@stop", "half@stop", "drop_after_effect@stop",
        "status=500@call", "voice_down@stop", "swallow@stop", "contradiction@stop",
        "async_error@stop", "expire_session@stop", "no_state@call", "swallow@pause",
        "contradiction@pause", "drop_after_effect@pause",
    ),
}  # fmt: skip
"""The faults of each vendor that a run chooses from."""
