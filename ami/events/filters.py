# SPDX-License-Identifier: Apache-2.0
"""Which events an `eventfilter` of manager.conf keeps from an account. Pure.

Asterisk matches each line as a POSIX expression against the whole text of an event; a line that
begins with `!` takes matching events away, any other lets only matching ones through. Since 18.20,
20.5 and 21 a line may be `eventfilter(action(exclude),name(MixMonitorStart)) = …`.
"""

import re
from collections.abc import Iterable
from typing import Final

NEEDED: Final = (
    "MixMonitorStart", "MixMonitorStop", "MixMonitorMute", "Newchannel", "Hangup", "BridgeEnter",
    "BridgeLeave", "DialBegin", "LocalBridge", "Rename", "MonitorStart", "MonitorStop",
    "ChanSpyStart", "ConfbridgeRecord", "PresenceStateChange",
)  # fmt: skip
"""The events without which a recording, or the call that it records, is not seen."""

Line = tuple[str, str]
"""One line of manager.conf: its key, and its value without the `=`."""

_TEXT: Final = (
    "Event: {name}\r\nPrivilege: call,all\r\nChannel: {channel}\r\nChannelState: 6\r\n"
    "ChannelStateDesc: Up\r\nCallerIDNum: 410\r\nCallerIDName: <unknown>\r\n"
    "ConnectedLineNum: 411\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\n"
    "Context: from-internal\r\nExten: 411\r\nPriority: 1\r\nUniqueid: 1700000000.1\r\n"
    "Linkedid: 1700000000.1\r\n\r\n"
)
_CHANNELS: Final = ("PJSIP/410-00000001", "SIP/410-00000001", "Local/411@from-internal-00000001;1")
_OPTION: Final = re.compile(r"(\w+)\(([^()]*)\)")


def hidden(lines: Iterable[Line]) -> tuple[str, ...]:
    """Return which of `NEEDED` these lines keep from the account, on some kind of channel.

    A line whose expression cannot be read counts as one that matches nothing.
    """
    include, exclude = _split(lines)

    def passes(text: str) -> bool:
        if include and not any(one.search(text) for one in include):
            return False
        return not any(one.search(text) for one in exclude)

    return tuple(
        name for name in NEEDED
        if not all(passes(_TEXT.format(name=name, channel=channel)) for channel in _CHANNELS)
    )  # fmt: skip


def _split(lines: Iterable[Line]) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """Return the expressions that let events through, and those that take them away."""
    include: list[re.Pattern[str]] = []
    exclude: list[re.Pattern[str]] = []
    for key, value in lines:
        options = dict(_OPTION.findall(key.partition("(")[2]))
        wanted = value.strip()
        out = options.get("action") == "exclude" or (not options and wanted.startswith("!"))
        if options:
            wanted = _advanced(options, wanted)
        (exclude if out else include).append(_compiled(wanted.removeprefix("!")))
    return include, exclude


def _advanced(options: dict[str, str], wanted: str) -> str:
    """Return a line of the newer kind as one expression against the whole text."""
    name = f"^Event: {re.escape(options['name'])}\r\n" if "name" in options else ""
    method = options.get("method", "none" if not wanted else "regex")
    header = rf"\r\n{re.escape(options['header'])}: *" if "header" in options else ""
    tail = {
        "none": "",
        "exact": rf"{re.escape(wanted)}\r\n",
        "starts_with": re.escape(wanted),
        "ends_with": rf"[^\r]*{re.escape(wanted)}\r\n",
        "contains": rf"[^\r]*{re.escape(wanted)}",
    }.get(method, rf"[^\r]*(?:{wanted})")
    return name + (f".*{header}{tail}" if header or tail else "")


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:
        return re.compile(r"(?!)")
