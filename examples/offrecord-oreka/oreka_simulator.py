# SPDX-License-Identifier: Apache-2.0
"""OrkAudio's command port, as its source has it: enough of it to try a recorder against."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from bridges.simulators.faults import COMMON_FAULTS
from bridges.simulators.harness import Reply, Seen, Simulator


@dataclass
class Session:
    """One SIP session that OrkAudio follows; its packets are kept unless it is paused."""

    party: str
    nativecallid: str
    keeps: bool = True
    files: int = 1


@dataclass(slots=True)
class OrekaSwitches:
    """What depends on how a site is set up."""

    look_back: bool = True
    """`LookBackRecording`: a new session is kept from its first packet."""


class OrekaSimulator(Simulator):
    """The simulated OrkAudio, an ASGI app; `sessions` is what it follows."""

    kind = "oreka"
    faults_known: Mapping[str, str] = MappingProxyType(
        {
            **COMMON_FAULTS,
            "swallow": "answer success and do nothing",
            "refuse_command": "answer that it was no success",
        }
    )
    switches: OrekaSwitches

    def __init__(self) -> None:
        super().__init__(OrekaSwitches())
        self.sessions: list[Session] = []

    @classmethod
    def ready(cls, secret: str | None) -> Self:  # noqa: ARG003 - OrkAudio has none
        """Return one with a session of 410."""
        made = cls()
        made.sessions.append(Session("410", "call-1@pbx.example"))
        return made

    def operation(self, seen: Seen) -> str:
        """Return the command's type."""
        return _parameters(seen).get("type", "none")

    def masked(self, seen: Seen) -> tuple[Mapping[str, str], str]:
        """Return the query as it is: it has no secrets."""
        return seen.query, seen.raw_query

    async def answer(self, seen: Seen) -> Reply:
        """Do what a command asks, and say success whether or not there was a session."""
        asked, kind = _parameters(seen), self.operation(seen)
        if kind not in {"ping", "record", "pause", "stop"}:
            return Reply(404, f"Error\r\nCommand not found:{kind}\r\n".encode(), "text/html")
        if seen.hit_by("refuse_command"):
            return _xml("false", "")
        if kind != "ping" and not seen.hit_by("swallow"):
            found = next((s for s in self.sessions if _meant(s, asked)), None)
            if found is not None:
                self._do(kind, found)
                seen.facts["effect"] = kind
        return _xml("true", f"{kind} {asked}")

    def _do(self, kind: str, session: Session) -> None:
        if kind == "stop":  # the packets that follow make a new file
            session.files += 1
            session.keeps = self.switches.look_back
        else:
            session.keeps = kind == "record"


def _parameters(seen: Seen) -> dict[str, str]:
    """Return the parameters as OrkAudio reads them: lower case, and never percent-decoded."""
    pairs = (pair.partition("=") for pair in seen.raw_query.lower().split("&"))
    return {key: value for key, _, value in pairs}


def _meant(session: Session, asked: Mapping[str, str]) -> bool:
    if "nativecallid" in asked:
        return asked["nativecallid"] == session.nativecallid.lower()
    return asked.get("party") == session.party.lower()


def _xml(success: str, comment: str) -> Reply:
    text = f"<success>{success}</success>\n  <comment>{comment}</comment>"
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<response>\n  {text}\n</response>\n'
    return Reply(200, page.encode(), "text/xml")
