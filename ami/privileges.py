# SPDX-License-Identifier: Apache-2.0
"""Checks the AMI account: what it may do, what it lacks, and what it should not have.

How (measured on Asterisk 16.28 and 22.10):
- `ListCommands` needs no privilege and lists only the actions the account may run, each with the
  classes that allow it; an action with a single class proves that class.
- While Asterisk boots it accepts logins before its modules are loaded. An action may then be
  missing because its module is, and not for lack of a privilege.
- No answer shows the read classes, except `manager show user`, which needs `command`. Without it,
  a device state that we set raises an event of class `call`, and a UserEvent that we send one of
  class `user` (sending it needs write `user`). Only a real digit raises one of class `dtmf`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ami.errors import AmiDown
from ami.link.actions import Response
from ami.link.supervisor import AmiLink
from ami.settings import AmiSettings

PROBE_DEVICE: Final = "Custom:offrecord-probe"
PROBE_EVENT: Final = "OffrecordProbe"

Granted = Mapping[str, frozenset[str]]
"""The actions the account may run, each with the classes that allow it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A privilege the account lacks. `line` is the whole line for its section in manager.conf."""

    direction: str
    privilege: str
    needed_for: str
    line: str

    def names(self, direction: str, privilege: str) -> bool:
        """Return whether this is the missing privilege."""
        return (self.direction, self.privilege) == (direction, privilege)

    def __str__(self) -> str:
        """Return one line with the lack and the line for manager.conf."""
        return (
            f"the AMI account lacks {self.direction}={self.privilege}, needed to "
            f"{self.needed_for}; in manager.conf: {self.line}"
        )


@dataclass(frozen=True, slots=True)
class Excessive:
    """A privilege the account has and should not. `risk`: what a stolen secret then allows."""

    direction: str
    privilege: str
    risk: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A privilege that is needed and could not be checked, and why."""

    direction: str
    privilege: str
    needed_for: str
    why: str


@dataclass(frozen=True, slots=True)
class PrivilegeReport:
    """The result of a check. `not_loaded`: actions whose module Asterisk has not loaded."""

    missing: tuple[Missing, ...] = ()
    excessive: tuple[Excessive, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    not_loaded: tuple[str, ...] = ()


_READS: Final = {
    "call": "follow calls",
    "dtmf": "recognise codes from digits",
    "user": "take presses from UserEvents",
    "dialplan": "learn extensions from a channel variable",
}
_WRITES: Final = {
    "call": ("Setvar", "stop and mute recordings"),
    "reporting": ("CoreShowChannels", "list the live channels after a reconnect"),
    "system": ("ModuleCheck", "start recordings"),
    "originate": ("Originate", "play late tones, and music to those on hold"),
    "user": ("UserEvent", "raise events for agents' desktops"),
}
"""By write class: an action of Asterisk's core that only it and `system` allow, and its use."""

_RISKS: Final = {
    "command": "runs any command of Asterisk's CLI",
    "system": "starts programs on the PBX through MixMonitor and loads modules",
    "originate": "places calls and runs applications, which has led to code execution",
    "config": "reads and writes Asterisk's configuration with all its secrets",
    "agi": "runs AGI commands on any call",
    "message": "sends messages in anyone's name",
    "user": "raises UserEvents that pass for the dialplan's own",
    "agent": "changes queues and their members",
    "aoc": "sends charging messages into calls",
    "reporting": "",
    "call": "",
}


def granted(listing: Response) -> Granted:
    """Return the actions in an answer to ListCommands, each with the classes that allow it."""
    found = {}
    for action, text in listing.headers.items():
        classes = re.search(r"\(Priv: ([a-z,]+)\)\s*$", text)
        if classes or text.rstrip().endswith("(Priv: <none>)"):
            found[action] = frozenset(classes[1].split(",") if classes else ()) - {"all"}
    return found


def certain_writes(actions: Granted) -> frozenset[str]:
    """Return the write classes the account must have to see these actions."""
    return frozenset(next(iter(classes)) for classes in actions.values() if len(classes) == 1)


def judge(
    settings: AmiSettings, actions: Granted, reads: Mapping[str, bool | str]
) -> PrivilegeReport:
    """Return the report on an account. `reads`: for each read class True, False, or why unknown."""
    wanted_reads = [name for name in settings.event_mask.split(",") if name in _READS]
    asked = {
        "system": settings.start_recordings,
        "originate": settings.whispers,
        "user": settings.raises_events,
    }
    wanted_writes = ["call", "reporting", *(name for name, wanted in asked.items() if wanted)]
    read_line = f"read = {','.join(wanted_reads)}"
    write_line = f"write = {','.join(wanted_writes)}"
    missing = [
        Missing("read", name, _READS[name], read_line)
        for name in wanted_reads
        if reads.get(name) is False
    ]
    missing += [
        Missing("write", name, _WRITES[name][1], write_line)
        for name in wanted_writes
        if _WRITES[name][0] not in actions
    ]
    unchecked = [
        Unchecked("read", name, _READS[name], why)
        for name in wanted_reads
        if isinstance(why := reads.get(name, "it was not tried"), str)
    ]
    held = certain_writes(actions)
    excessive = [
        Excessive("write", name, risk)
        for name, risk in _RISKS.items()
        if name in held and name not in wanted_writes
    ]
    modules = {"StopMixMonitor": "Setvar", "MixMonitorMute": "Setvar"}
    if settings.start_recordings:
        modules["MixMonitor"] = "ModuleCheck"
    not_loaded = [name for name, core in modules.items() if core in actions and name not in actions]
    return PrivilegeReport(tuple(missing), tuple(excessive), tuple(unchecked), tuple(not_loaded))


async def check(link: AmiLink, actions: Granted) -> PrivilegeReport:
    """Find out the read classes and return the report. Raises AmiDown when the link is lost."""
    return judge(link.settings, actions, await _reads(link, actions))


async def _reads(link: AmiLink, actions: Granted) -> dict[str, bool | str]:
    settings = link.settings
    if "Command" in actions and re.fullmatch(r"[\w.@+-]+", settings.username):
        told = await link.action("Command", {"Command": f"manager show user {settings.username}"})
        classes = _shown(told.output)
        if classes is not None:
            return {name: name in classes or "all" in classes for name in _READS}
    reads: dict[str, bool | str] = {
        "dtmf": "only a digit pressed on a call shows it",
        "dialplan": "only a call through the dialplan shows it",
        "call": "probe_timeout is 0",
        "user": "the account may not send UserEvents (write=user) to see whether one comes back",
    }
    if settings.probe_timeout > 0:
        reads["call"] = await _probe_call(link)
        if settings.user_events and "UserEvent" in actions:
            reads["user"] = await _probe_user(link)
    return reads


def _shown(output: tuple[str, ...]) -> frozenset[str] | None:
    for line in output:
        label, _, classes = line.strip().partition(": ")
        if label == "read perm":
            return frozenset(classes.strip().split(","))
    return None


async def _probe_call(link: AmiLink) -> bool | str:
    """Change a device state back and forth: one of the two changes raises an event."""
    variable = f"DEVICE_STATE({PROBE_DEVICE})"
    async with link.expect("DeviceStateChange", f"\r\nDevice: {PROBE_DEVICE}\r\n") as seen:
        for state in ("INUSE", "NOT_INUSE"):
            answer = await link.action("Setvar", {"Variable": variable, "Value": state})
            if not answer.ok:
                return f"no device state could be set to try it ({answer.message[:60]})"
        return await _seen(seen, link.settings.probe_timeout)


async def _probe_user(link: AmiLink) -> bool | str:
    async with link.expect("UserEvent", f"\r\nUserEvent: {PROBE_EVENT}\r\n") as seen:
        answer = await link.action("UserEvent", {"UserEvent": PROBE_EVENT})
        if not answer.ok:
            return f"no UserEvent could be sent to try it ({answer.message[:60]})"
        return await _seen(seen, link.settings.probe_timeout)


async def _seen(event: asyncio.Future[None], patience: float) -> bool:
    done, _ = await asyncio.wait({event}, timeout=patience)
    if done and event.cancelled():
        raise AmiDown("the link went while privileges were checked", fix="it comes back by itself")
    return bool(done)
