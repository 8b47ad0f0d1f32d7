# SPDX-License-Identifier: Apache-2.0
"""AMI actions on recordings: stop all MixMonitors with proof, mute, unmute, start, count.

What the PBX answers (measured on Asterisk 16.28 and 22.10, with a uniqueid as the channel):
- StopMixMonitor: Success stops the newest one; `Could not stop monitoring channel` means that none
  is left, and is the proof; `No such channel` means that the channel has hung up.
- MixMonitorMute: `Cannot set mute flag` on a channel that never carried one; but Success once it
  has carried one, even if none is left. Success alone is no proof of silence.
- MixMonitor (start): Success even where the file cannot be written. It is no proof of a recording.

MixMonitorMute on a channel without a recording blocks Asterisk 18.18, 18.19, 20.3 and 20.4 for
good. It is never sent to these versions, and never to a channel not known to carry a recording.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ami.calls.snapshots import Channel
from ami.errors import AmiDenied, AmiInjection, AmiUnsafe
from ami.events.headers import ChannelRow
from ami.link.actions import Response
from ami.ports import CallActions

MOST: Final = 32
"""Stops sent to one channel; more recordings than that mean that something starts new ones."""
NONE_LEFT: Final = "Could not stop monitoring channel"
NO_CHANNEL: Final = "No such channel"
ROUNDS: Final = 4
"""Passes over a call for channels that joined it while others were drained."""
COUNTED_AT_ONCE: Final = 16

_DEADLOCKS: Final = frozenset({(18, 18), (18, 19), (20, 3), (20, 4)})
_PLAIN_FILE: Final = re.compile(r"[\w./ :@%+=#~-]+")
_PLAIN_OPTIONS: Final = re.compile(r"[\w()-]*")
_CLI_WORD: Final = re.compile(r"[\w/@.:;+*#&=~-]+")


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of stopping all MixMonitors of one channel.

    `stopped`: how many ran. `answer`: the PBX's last message. `gone`: the channel has hung up, and
    its recordings have ended with it. `exceeded`: after `MOST` stops there was still another one;
    something starts new ones, which needs an alarm.
    """

    stopped: int
    answer: str
    gone: bool = False
    exceeded: bool = False

    @property
    def proven(self) -> bool:
        """True when the PBX answered that nothing records this channel any more."""
        return not self.exceeded


@dataclass(frozen=True, slots=True)
class CallDrained:
    """The result of stopping all MixMonitors of a call, by uniqueid of its channels."""

    channels: Mapping[str, Drained]
    settled: bool
    """False when new channels still joined the call in the last of `ROUNDS` passes."""

    @property
    def stopped(self) -> int:
        """Number of MixMonitors that ran."""
        return sum(drained.stopped for drained in self.channels.values())

    @property
    def proven(self) -> bool:
        """True when every channel of the call is proven."""
        return self.settled and all(drained.proven for drained in self.channels.values())

    @property
    def gone(self) -> bool:
        """True when no channel of the call is left."""
        return all(drained.gone for drained in self.channels.values())


async def drain(pbx: CallActions, uniqueid: str) -> Drained:
    """Stop MixMonitors of a channel until the PBX answers that none is left.

    Safe on a channel that has none, and safe to repeat. Raises AmiDenied on an answer that is not
    known, AmiDown, AmiTimeout.
    """
    for stopped in range(MOST):
        answer = await pbx.action("StopMixMonitor", {"Channel": uniqueid})
        if answer.ok:
            continue
        if answer.message == NONE_LEFT:
            pbx.graph.set_monitors(uniqueid, 0)
            return Drained(stopped, answer.message)
        if answer.message == NO_CHANNEL:
            return Drained(stopped, answer.message, gone=True)
        raise AmiDenied("StopMixMonitor", answer.message)
    return Drained(MOST, "Success", exceeded=True)


async def named_files(pbx: CallActions, channels: Iterable[Channel]) -> dict[str, str]:
    """Return by uniqueid the file that a MixMonitor of a channel was last given.

    A channel that never carried a MixMonitor has none; one that did keeps the name after its end.
    Raises AmiDown, AmiTimeout.
    """
    found = {}
    for channel in channels:
        fields = {"Channel": channel.uniqueid, "Variable": "MIXMONITOR_FILENAME"}
        answer = await pbx.action("Getvar", fields)
        if answer.ok and (file := answer.headers.get("Value", "")):
            found[channel.uniqueid] = file
    return found


async def stop_call(pbx: CallActions, uniqueid: str) -> CallDrained:
    """Drain every channel of the call a channel is on, including those that join meanwhile.

    A channel the graph does not know is drained alone. Raises as `drain` does.
    """
    found: dict[str, Drained] = {}
    waiting = _on_call_with(pbx, uniqueid)
    for _ in range(ROUNDS):
        for each in waiting:
            found[each] = await drain(pbx, each)
        waiting = [each for each in _on_call_with(pbx, uniqueid) if each not in found]
        if not waiting:
            break
    return CallDrained(found, settled=not waiting)


def _on_call_with(pbx: CallActions, uniqueid: str) -> list[str]:
    call = pbx.graph.call_of(uniqueid)
    return [channel.uniqueid for channel in call.channels] if call else [uniqueid]


@dataclass(frozen=True, slots=True)
class Done:
    """The PBX accepted, which is no proof yet. `gone`: the channel has hung up."""

    answer: str
    gone: bool = False


async def mute(pbx: CallActions, uniqueid: str) -> Done:
    """Mute the recordings of a channel in both directions; they go on and record silence.

    Raises AmiUnsafe when this PBX's version deadlocks on it or is not known, or when the channel
    is not known to carry a recording; AmiDenied, AmiDown, AmiTimeout.
    """
    return await _set_mute(pbx, uniqueid, "1")


async def unmute(pbx: CallActions, uniqueid: str) -> Done:
    """Unmute the recordings of a channel. Raises as `mute` does."""
    return await _set_mute(pbx, uniqueid, "0")


async def _set_mute(pbx: CallActions, uniqueid: str, state: str) -> Done:
    if not mute_is_safe(pbx.version):
        version = ".".join(map(str, pbx.version)) or "of unknown version"
        raise AmiUnsafe(
            f"MixMonitorMute can block Asterisk {version} for good",
            fix="stop the recording instead, or run Asterisk 18.20, 20.5 or newer",
        )
    channel = pbx.graph.channel(uniqueid)
    if channel is None or not channel.monitors:
        raise AmiUnsafe(
            f"channel {uniqueid} is not known to carry a recording, so it is not muted",
            fix="stop it instead: that is safe on any channel",
        )
    fields = {"Channel": uniqueid, "Direction": "both", "State": state}
    answer = await pbx.action("MixMonitorMute", fields)
    return _done("MixMonitorMute", answer)


def mute_is_safe(version: tuple[int, ...]) -> bool:
    """Return whether MixMonitorMute is known not to block an Asterisk of that version."""
    if len(version) < 2:
        return bool(version) and version[0] not in {series for series, _ in _DEADLOCKS}
    return version[:2] not in _DEADLOCKS


def mute_reaches_all(version: tuple[int, ...]) -> bool:
    """Return whether MixMonitorMute reaches every MixMonitor of a channel on that version.

    Before 18.18 and 20.3 it reaches the first one alone, and its event does not say so.
    """
    if not version:
        return False
    first = {18: (18, 18), 20: (20, 3)}.get(version[0])
    return version[0] >= 21 if first is None else version[:2] >= first


async def start(pbx: CallActions, uniqueid: str, file: str, options: str = "") -> Done:
    """Start a MixMonitor that records to `file`. Needs the write class `system`.

    Asterisk splits the three arguments at commas and runs the third as a program: a file or option
    that is not plain is refused. Raises AmiInjection, AmiDenied, AmiDown, AmiTimeout.
    """
    if not is_plain_file(file):
        raise AmiInjection("File", "holds a character that MixMonitor gives a meaning to")
    if not are_plain_options(options):
        raise AmiInjection("options", "holds a character that MixMonitor gives a meaning to")
    fields = {"Channel": uniqueid, "File": file, "options": options}
    return _done("MixMonitor", await pbx.action("MixMonitor", fields))


def is_plain_file(file: str) -> bool:
    """Return whether a file name has no character that MixMonitor gives a meaning to."""
    return _PLAIN_FILE.fullmatch(file) is not None


def are_plain_options(options: str) -> bool:
    """Return whether options have no character that MixMonitor gives another meaning to."""
    return _PLAIN_OPTIONS.fullmatch(options) is not None


def _done(name: str, answer: Response) -> Done:
    if answer.ok:
        return Done(answer.message or "Success")
    if answer.message == NO_CHANNEL:
        return Done(answer.message, gone=True)
    raise AmiDenied(name, answer.message)


async def count(pbx: CallActions, rows: Iterable[ChannelRow]) -> dict[str, int]:
    """Count the MixMonitors of listed channels by `mixmonitor list`. Needs the class `command`.

    A channel is left out when the answer is not clear or its name also matches other channels.
    Raises AmiDown, AmiTimeout.
    """
    words = list(addressable(rows).items())
    counted: dict[str, int] = {}
    for begin in range(0, len(words), COUNTED_AT_ONCE):
        some = words[begin : begin + COUNTED_AT_ONCE]
        asked = [pbx.action("Command", {"Command": f"mixmonitor list {word}"}) for _, word in some]
        # all of them end before one failure is raised
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for (uniqueid, _), answer in zip(some, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            number = listed(answer)
            if number is not None:
                counted[uniqueid] = number
    return counted


def listed(answer: Response) -> int | None:
    """Return the number of MixMonitors in an answer to `mixmonitor list`, or None if unclear."""
    if not answer.ok or not answer.output or not answer.output[0].startswith("MixMonitor ID"):
        return None
    return sum(1 for line in answer.output[1:] if line.strip() and not line.startswith("="))


def addressable(rows: Iterable[ChannelRow]) -> dict[str, str]:
    """Return by uniqueid the word by which the CLI finds that channel and no other.

    The CLI takes the first channel whose name, otherwise whose uniqueid, begins with the word,
    ignoring case. A channel without such a word is left out.
    """
    listing = list(rows)
    names = _no_prefixes([row.channel.lower() for row in listing])
    ids = _no_prefixes([row.uniqueid.lower() for row in listing])
    found = {}
    for row in listing:
        if row.channel.lower() in names and _CLI_WORD.fullmatch(row.channel):
            found[row.uniqueid] = row.channel
        elif row.uniqueid.lower() in ids and _CLI_WORD.fullmatch(row.uniqueid):
            found[row.uniqueid] = row.uniqueid
    return found


def _no_prefixes(words: list[str]) -> set[str]:
    """Return the words that are no prefix of another one, which would follow it when sorted."""
    ordered = sorted(words)
    return {
        *(word for word, after in pairwise(ordered) if not after.startswith(word)),
        *ordered[-1:],
    }
