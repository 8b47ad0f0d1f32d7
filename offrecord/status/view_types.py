# SPDX-License-Identifier: Apache-2.0
"""Types of what every face shows: live calls, their channels and recorders, the daemon's status.

`to_json` makes the JSON of the control socket, of `--json` and of the HTTP API, and `from_json`
reads it back. The docstrings of classes and fields are the descriptions in the OpenAPI
document. How a recorder's state is found is in `live_view`.

==============  ==================================================================================
state           meaning
==============  ==================================================================================
`recording`     the PBX records, also when a stop holds and the recording that came back is being
                muted; a recorder elsewhere was told to start or resume, and said yes
`asking`        a press is under way, and the recorder has not answered yet
`stopped`       a stop or an objection holds, and the recorder obeyed; `outcome` says how sure it is
`paused`        the same of a pause; `until` says when it ends by itself
`failed`        a stop or a pause holds and the recorder has not obeyed: it may be recording
`idle`          the PBX records no channel of the call
`unknown`       the recorder was not asked; its route says that it holds such calls
==============  ==================================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Final, TypeVar

from offrecord.base.errors import Exit, UserError

T = TypeVar("T")

DESCRIBED: Final[dict[str, Any]] = {"use_attribute_docstrings": True}
"""Setting for pydantic, so that the OpenAPI document describes a field by its docstring."""


class RecorderState(StrEnum):
    """State of one recorder for one call, as far as known."""

    RECORDING = "recording"
    ASKING = "asking"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"
    IDLE = "idle"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel of a call."""

    __pydantic_config__: ClassVar = DESCRIBED

    channel: str
    uniqueid: str
    extension: str | None
    state: str
    bridge: str | None
    monitors: int | None
    """MixMonitors on it; null when their number is not known"""
    muted: bool


@dataclass(frozen=True, slots=True)
class IntentView:
    """Intent of a press for a call: the listed recorders must not record it."""

    __pydantic_config__: ClassVar = DESCRIBED

    intent: str
    """the press that made it"""
    verb: str
    call: str
    lineage: tuple[str, ...]
    """linkedids of the call, and uniqueids of its channels"""
    recorders: tuple[str, ...]
    agent: str | None
    since: int
    """milliseconds since the epoch, UTC"""
    until: int | None
    """when it ends by itself, in milliseconds since the epoch; null for never"""
    maximum: int | None
    """the latest time to which it can be extended, in milliseconds since the epoch"""
    at_end: str
    """`resume` or `stay_paused_and_alarm`"""
    home: tuple[str, ...]
    """those of `lineage` that are the presser's own call, outside of conferences"""
    presser: str | None
    """uniqueid of the channel that pressed"""
    extension: str | None
    facts: Mapping[str, tuple[str, ...]]
    """channel variables that recorders asked for"""
    extended: bool
    recorded: tuple[str, ...]
    """uniqueids of channels on which the PBX was seen to record"""


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """One recorder of a call, and what is known of it."""

    __pydantic_config__: ClassVar = DESCRIBED

    recorder: str
    kind: str
    state: RecorderState
    press: str | None
    """the press that caused the state"""
    verb: str | None
    outcome: str | None
    evidence: str | None
    since: int | None
    """milliseconds since the epoch, UTC"""
    until: int | None
    """when a pause ends by itself, in milliseconds since the epoch"""
    detail: str
    """what the recorder answered last"""


@dataclass(frozen=True, slots=True)
class CallView:
    """One live call, with the state of each recorder."""

    __pydantic_config__: ClassVar = DESCRIBED

    call: str
    """its linkedid"""
    extensions: tuple[str, ...]
    agents: Mapping[str, str]
    """logins by extension, as far as they are known"""
    channels: tuple[ChannelView, ...]
    intents: tuple[IntentView, ...]
    """what presses hold for it"""
    recorders: tuple[RecorderStatus, ...]
    listeners: tuple[str, ...] = ()
    """who listens without being a party, as `PJSIP/490 (490) by ChanSpy`; those known by events"""


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """The live calls, oldest first."""

    __pydantic_config__: ClassVar = DESCRIBED

    known: bool
    """false while the PBX cannot be asked: then nothing is certain"""
    calls: tuple[CallView, ...]


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The state of the daemon's main parts, in a few words each."""

    __pydantic_config__: ClassVar = DESCRIBED

    link: str
    """the connection to the PBX, such as `up`"""
    known: bool
    """whether the list of live calls is certain"""
    calls: int
    journal: str
    """`ok`, or why records do not reach the disk"""
    recorders: tuple[str, ...]
    pbx: str = "ok"
    """`ok`, or what this PBX cannot tell, such as the events of its recordings"""


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record of the journal, as `offrecord show --json` prints it."""

    __pydantic_config__: ClassVar = DESCRIBED

    seq: int
    at: int
    """milliseconds since the epoch, UTC"""
    kind: str
    body: Mapping[str, Any]


def to_json(view: object) -> dict[str, Any]:
    """Return a dataclass as a dictionary for JSON, with everything in it.

    `dataclasses.asdict` returns the same, but takes 20 times as long, tens of milliseconds for 500
    calls. Each open stream needs it whenever the calls change, and a press waits meanwhile.
    """
    kind: Any = type(view)
    # Without warnings: a value of another type, as an old journal may hold, is shown as it is.
    made: dict[str, Any] = _adapter(kind).dump_python(view, warnings=False)
    return made


def from_json(kind: type[T], given: Mapping[str, Any]) -> T:
    """Return the dataclass `kind` that `to_json` turned into the JSON object `given`.

    Members without a field are ignored, as a newer daemon may send more. Raises `UserError` when
    one is missing or of another type.
    """
    # Not at the top: pydantic takes longer to load than all else that `offrecord stop` needs.
    from pydantic import ValidationError

    hashed: Any = kind  # mypy takes a `type[T]` for something without a hash
    try:
        found: T = _adapter(hashed).validate_python(given)
    except ValidationError as problem:
        wrong = problem.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise UserError(
            f"the daemon's answer is not understood: {where}: {wrong['msg']}",
            "run the command of the daemon's version, or restart the daemon after an upgrade",
            Exit.INTERNAL,
        ) from None
    return found


@cache
def _adapter(kind: type[Any]) -> Any:
    """Return the `TypeAdapter` of a dataclass, which takes a while to make."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
