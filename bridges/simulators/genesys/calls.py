# SPDX-License-Identifier: Apache-2.0
"""The simulated contact centre: agents, devices, calls, and their recordings.

Shapes and states follow the vendor's "Call Resource" and the samples of the recording pages.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bridges.simulators.genesys.switches import GenesysSwitches

OPERATIONS: Final = {
    "StartCallRecording": (frozenset({"Stopped"}), "Recording"),
    "PauseCallRecording": (frozenset({"Recording"}), "Paused"),
    "ResumeCallRecording": (frozenset({"Paused"}), "Recording"),
    "StopCallRecording": (frozenset({"Recording", "Paused"}), "Stopped"),
}
"""States from which an operation is offered, and the state it brings."""

_RECORD: Final = {"Recording": "ON", "Paused": "PAUSED", "Stopped": "OFF"}
HOST: Final = "http://127.0.0.1:8080/api/v2"
"""Beginning of the URIs in answers: like the samples', no address of the server."""


@dataclass(slots=True)
class Agent:
    """A user with one device. `recording`: the agent has the feature `api-voice-recording`."""

    user_name: str
    password: str | None
    extension: str
    recording: bool = True

    @property
    def device(self) -> str:
        """The id of the agent's device."""
        return _digest(f"device {self.user_name}")[:8]


@dataclass(slots=True)
class SimCall:
    """A call of one agent. `recording` is empty where recording is not provisioned."""

    uuid: str
    conn_id: str
    agent: Agent
    parties: list[str]
    began: float
    state: str = "Established"
    kind: str = "Inbound"
    recording: str = "Recording"
    recorded: list[str] = field(default_factory=list)
    """Every state the recording went through."""

    def become(self, state: str) -> None:
        """Change the recording."""
        self.recording = state
        self.recorded.append(state)


Listener = Callable[[str, Agent, dict[str, Any]], None]
"""Is told the topic, the agent it is for, and the data of an event."""


class ContactCentre:
    """Every agent and every live call. `now` is the simulated time of day."""

    def __init__(self, now: Callable[[], float], switches: GenesysSwitches, tell: Listener) -> None:
        self._now = now
        self._switches = switches
        self._tell = tell
        self._made = 0
        self.agents: dict[str, Agent] = {}
        self.calls: list[SimCall] = []

    def add_agent(
        self, user_name: str, password: str | None, extension: str, *, recording: bool = True
    ) -> Agent:
        """Make an agent known; without a password any is right."""
        agent = Agent(user_name, password, extension, recording)
        self.agents[user_name] = agent
        return agent

    def add_call(
        self,
        agent: Agent,
        *parties: str,
        uuid: str | None = None,
        recording: str = "Recording",
        state: str = "Established",
        kind: str = "Inbound",
    ) -> SimCall:
        """Begin a call, recorded unless the agent lacks the feature."""
        self._made += 1
        ident = uuid or _digest(f"call {self._made}")[:32].upper()
        call = SimCall(
            ident, f"0071{self._made:012x}", agent, list(parties), self._now(), state, kind,
            recording if agent.recording else "",
        )  # fmt: skip
        self.calls.append(call)
        self.tell(call, "StatusChange")
        return call

    def change(self, call: SimCall, state: str) -> None:
        """Answer, hold or retrieve a call."""
        call.state = state
        self.tell(call, "StatusChange")

    def hang_up(self, call: SimCall) -> None:
        """End a call."""
        if call in self.calls:
            self.calls.remove(call)
            call.state = "Released"
            self.tell(call, "StatusChange")

    def transfer(self, call: SimCall, agent: Agent) -> SimCall:
        """Transfer a call: its recording ends, and one for the other agent may begin."""
        self.hang_up(call)
        uuid = call.uuid if call.agent is not agent else None
        return self.add_call(agent, *call.parties, uuid=uuid, recording="Recording")

    def record(self, call: SimCall, state: str, *, noise: bool = False) -> None:
        """Change the recording of a call, and say so."""
        call.become(state)
        if noise:
            self.tell(call, "AttachedDataChanged")
        self.tell(call, "CallRecordingStateChange")

    def tell(self, call: SimCall, kind: str, shown: str | None = None) -> None:
        """Send an event about a call, with another recording state than its own if `shown`."""
        data = {
            "messageType": "CallStateChangeMessage",
            "notificationType": kind,
            "call": self.resource(call, shown),
            "phoneNumber": call.agent.extension,
        }
        self._tell("/v2/me/calls", call.agent, data)

    def error(self, call: SimCall) -> None:
        """Send an error as it was seen: about the device, without text or code."""
        path = f"/devices/{call.agent.device}"
        data = {"messageType": "ErrorMessage", "devicePath": path, "deviceUri": HOST + path}
        self._tell("/v2/me/devices", call.agent, data)

    def resource(self, call: SimCall, recording: str | None = None) -> dict[str, Any]:
        """Return a call as the API tells it, in the shape of the switches."""
        switches = self._switches
        return resource(
            call, self._now(), ids=switches.ids, shapes=switches.shapes, recording=recording
        )

    def of(self, agent: Agent) -> list[SimCall]:
        """Return the live calls of an agent."""
        return [call for call in self.calls if call.agent is agent]

    def find(self, agent: Agent, ident: str) -> SimCall | None:
        """Return a live call of an agent by id."""
        wanted = "uuid" if self._switches.ids == "uuid" else "conn_id"
        return next((call for call in self.of(agent) if getattr(call, wanted) == ident), None)


def resource(
    call: SimCall,
    now: float,
    *,
    ids: str = "uuid",
    shapes: str = "8.5.2",
    recording: str | None = None,
) -> dict[str, Any]:
    """Return a call as the API tells it."""
    ident = call.uuid if ids == "uuid" else call.conn_id
    state = call.recording if recording is None else recording
    offered = [name for name, (allowed, _) in OPERATIONS.items() if state in allowed]
    old = shapes == "8.5.0"
    people = [
        {"e164Number": "", "formattedPhoneNumber": number, "phoneNumber": number, "digits": number}
        for number in call.parties
    ]
    seconds = int(max(0.0, now - call.began))
    told: dict[str, Any] = {
        "id": ident,
        "callUuid": call.uuid,
        "connId": call.conn_id,
        "state": call.state,
        "deviceUri": f"{HOST}/devices/{call.agent.device}",
        "participants": list(call.parties) if old else people,
        "dnis": call.agent.extension,
        "callType": call.kind,
        "capabilities": ["Hold", "SendDtmf", *offered, "Hangup"],
        "userData": {"GSIP_RECORD": _RECORD[state]} if state else {},
        "duration": seconds if old else str(seconds),
        "mute": "Off",
        "supervisorListeningIn": False,
        "monitoredUserMuted": False,
        "monitoring": False,
        "uri": f"{HOST}/me/calls/{ident}",
        "path": f"/calls/{ident}",
    }
    if old:
        told["participantsInfo"] = people
    if state:
        told["recordingState"] = state
    return told


def device(agent: Agent) -> dict[str, Any]:
    """Return an agent's device as the API tells it."""
    return {
        "id": agent.device,
        "deviceState": "Active",
        "phoneNumber": agent.extension,
        "e164Number": "",
        "telephonyNetwork": "Private",
        "doNotDisturb": "Off",
        "voiceEnvironmentUri": f"{HOST}/voice-environments/sim",
        "capabilities": ["ForwardCallsOn", "DoNotDisturbOn"],
        "userState": {"displayName": "Ready", "state": "Ready"},
    }


def user(agent: Agent) -> dict[str, Any]:
    """Return an agent as `GET /me` does, without subresources."""
    ident = _digest(agent.user_name)[:32]
    return {
        "id": ident,
        "userName": agent.user_name,
        "firstName": "SIM",
        "lastName": agent.user_name,
        "roles": ["ROLE_AGENT"],
        "enabled": True,
        "changePasswordOnFirstLogin": False,
        "uri": f"{HOST}/users/{ident}",
        "path": f"/users/{ident}",
    }


def features(agent: Agent) -> list[dict[str, str]]:
    """Return an agent's features."""
    names = ["api-voice", *(["api-voice-recording"] if agent.recording else [])]
    return [{"id": name, "uri": f"{HOST}/features/{name}"} for name in names]


def shown(call: SimCall) -> dict[str, Any]:
    """Return a call for the simulator's own control surface."""
    return {
        "uuid": call.uuid,
        "agent": call.agent.user_name,
        "state": call.state,
        "parties": call.parties,
        "recording": call.recording,
        "recorded": call.recorded,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
