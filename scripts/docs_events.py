# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/events.md: what is written down, told and listened to.

The kinds of records and what is in them are found in the source; here is only what they mean. A
kind or an alarm without a meaning is an error.
"""

import ast
import functools
import inspect
import json
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from ami.events.packet_to_event import _DECODERS
from bridges.model import Evidence, Outcome, Verb
from offrecord.audit.seal import _note as _sealed
from offrecord.config.sections.pbx import UserEventConfig
from offrecord.model.intents import Intent
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict, result_body
from offrecord.notify.outgoing_webhook import body
from offrecord.notify.user_event import VerdictMessage, event_fields
from offrecord.presses.find_call import Resolved
from offrecord.presses.plan import Plan
from offrecord.reconcile.local_files import Incident
from offrecord.status.event_feed import CALLS, MISSED

ROOT = Path(__file__).parent.parent

KINDS: Mapping[str, str] = {
    "pressed": "the press as it came in; on the disk before a recorder is asked",
    "joined": "another sighting of a press that was under way: `of` is that press",
    "resolved": "which call is meant, who pressed, what the policy says, which recorders are asked",
    "intent": "what holds for the call from now on; again whenever that changes",
    "answered": "what one recorder made of it, with each request and answer",
    "verdict": "what the person is told; the last one counts",
    "file_closed": "a stopped recording's file was closed, `after_ms` after the press",
    "taken_back": "a file still grows that no other call explains: the press has `failed`",
    "not_watched": "folders whose files were not watched after this press, and why",
    "extended": "a pause got more time",
    "reminded": "the presser was told that the pause ends soon",
    "reapplied": "a recording had begun again under a promise, and was silenced",
    "retried": "a recorder that had not obeyed was asked again",
    "fallback": "a way out of `retry.fallback` was taken",
    "rejoined": "a call that was held goes on",
    "closed": "the end of a press that had failed: solved, superseded, given up, or the call ended",
    "intent_ended": "what held for the call holds no more",
    "alarm": "somebody should look; the table below has each of them",
    "incident": "found after the call: a recording holds time that was to be silent",
    "recovered": "what was made, at a start, of a press that the daemon before had left open",
    "sealed": "of the file, not of a press: which records went into which archive",
}
"""Every kind of record, in the order in which they come, and what it says."""

ALARMS: Mapping[str, str] = {
    "policy": "a limit of `[policy]` was passed, or a word of FreePBX is not known",
    "retry": "a fault in offrecord ended the tries for a recorder that has not obeyed",
    "not_reapplied": "a recording began again under a stop or a pause, and is not silenced",
    "not_resumed": "a pause is over, and a recorder does not record again",
    "pause_over": "a pause is over and stays, as `pause.at_end` has it",
    "runaway": "something starts recordings on a stopped call without end",
    "taken_back": "a verdict was taken back: a file still grows that no other call explains",
    "unseen": "after a lost link nobody can tell what records a paused call",
}
"""Every `what` of an alarm, and its meaning."""

_BODIES: Mapping[str, tuple[Callable[..., object], ...]] = {
    "pressed": (Press.body,),
    "joined": (Press.body,),
    "resolved": (Resolved.body, Plan.body),
    "intent": (Intent.body,),
    "answered": (result_body,),
    "verdict": (Verdict.body,),
    "retried": (result_body,),
    "closed": (),
    "incident": (Incident.body,),
    "sealed": (_sealed,),
}
"""Functions that make the bodies that are not written out in the call."""


def noted() -> dict[str, set[str]]:
    """Return every kind that the source writes into the journal, and the keys of its body."""
    found: dict[str, set[str]] = {"sealed": set()}
    for call in _calls({"write", "_note"}):
        kind = _word(call, 1)
        if kind is not None and kind.isidentifier():
            keys = _keys(call.args[2]) if len(call.args) > 2 else set()
            found.setdefault(kind, set()).update(keys)
    return found


def alarms() -> set[str]:
    """Return the `what` of every alarm in the source."""
    found = {what for call in _calls({"alarm"}) if (what := _word(call, 1)) is not None}
    for call in _calls({"write", "_note"}):
        if _word(call, 1) == "alarm" and isinstance(call.args[2], ast.Dict):
            pairs = zip(call.args[2].keys, call.args[2].values, strict=True)
            found |= {
                str(value.value) for key, value in pairs
                if isinstance(key, ast.Constant) and key.value == "what"
                and isinstance(value, ast.Constant)
            }  # fmt: skip
    return found


def _calls(names: set[str]) -> list[ast.Call]:
    """Return the calls of methods with one of these names."""
    return [call for name, call in _methods() if name in names]


@functools.cache
def _methods() -> list[tuple[str, ast.Call]]:
    return [
        (node.func.attr, node)
        for path in sorted((ROOT / "offrecord").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def _word(call: ast.Call, place: int) -> str | None:
    if len(call.args) <= place or not isinstance(call.args[place], ast.Constant):
        return None
    value = call.args[place].value  # type: ignore[attr-defined]
    return value if isinstance(value, str) else None


def _keys(node: ast.AST) -> set[str]:
    """Return the keys written in a display of a mapping; none of another expression."""
    if not isinstance(node, ast.Dict):
        return set()
    return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}


def _made(function: Callable[..., object]) -> list[str]:
    """Return the keys of the first mapping that a function writes out, in their order."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    first = next(node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    either: list[ast.expr] = []  # a key may be one of two words
    for key in filter(None, first.keys):
        either += [key.body, key.orelse] if isinstance(key, ast.IfExp) else [key]
    return [str(key.value) for key in either if isinstance(key, ast.Constant)]


def _code(words: object) -> str:
    return ", ".join(f"`{word}`" for word in words)  # type: ignore[attr-defined]


def kinds() -> list[tuple[str, str, str]]:
    """Return a row for each kind of record. Raises KeyError when one has no meaning here."""
    found = noted()
    rows = []
    for kind in sorted(found, key=list(KINDS).index):
        keys = [key for made in _BODIES.get(kind, ()) for key in _made(made)]
        keys += sorted(found[kind] - set(keys))
        rows.append((f"`{kind}`", KINDS[kind], _code(keys)))
    return rows


def alarm_rows() -> list[tuple[str, str]]:
    """Return a row for each alarm."""
    return [(f"`{what}`", ALARMS[what]) for what in sorted(alarms())]


def _example() -> VerdictMessage:
    press = Press("p", Verb.STOP, "fastagi", "t", 0, 0.0)
    verdict = Verdict("p", Verb.STOP, Outcome.FAILED, Evidence.NONE, "", 0.0)
    return VerdictMessage(press, verdict, "", "", "", heard=False)


def out_rows() -> list[tuple[str, str]]:
    """Return what the user event and the webhook carry."""
    told = _example()
    return [
        (f"AMI: `UserEvent` `{event_fields(told)['UserEvent']}`",
         _code([name for name in event_fields(told) if name != "UserEvent"])),
        ("webhook: JSON", _code(json.loads(body(told)))),
    ]  # fmt: skip


def stream_rows() -> list[tuple[str, str]]:
    """Return the events of a stream that are no records."""
    return [
        ("`open`", "the first one: the live calls as they are now"),
        (f"`{CALLS}`", "the live calls, or who records them, have changed; it holds all calls"),
        (f"`{MISSED}`", "so many others were lost (`count`): look at everything again"),
    ]


def in_rows() -> list[tuple[str, str]]:
    """Return what a user event that is a press may carry."""
    name = UserEventConfig().name
    return [
        ("the event's name", f"`{name}`, or another by `user_event.name`"),
        ("`Verb`", f"one of {_code(verb.value for verb in Verb)}; needed"),
        ("`Agent`", "the recorders' name for the person"),
        ("`Recorder`", "the one recorder to be asked"),
    ]


def ami_rows() -> list[tuple[str]]:
    """Return the events of Asterisk that are read."""
    names = sorted(key.decode().removeprefix("Event: ") for key in _DECODERS)
    return [(_code(names),)]
