# SPDX-License-Identifier: Apache-2.0
"""Live calls as the faces get them, for tests of what is shown: every field has a value."""

from dataclasses import replace
from typing import Any

from offrecord.status.view_types import (
    CallView,
    ChannelView,
    IntentView,
    RecorderState,
    RecorderStatus,
)

_CHANNEL = ChannelView("SIP/410-1", "1.1", None, "Up", None, 0, muted=False)
_RECORDER = RecorderStatus(
    "local", "fake", RecorderState.RECORDING, None, None, None, None, None, None, ""
)
_INTENT = IntentView(
    "p1", "stop", "1.1", ("1.1",), ("local",), None, 1, None, None, "resume", ("1.1",), None, None,
    {}, False, (),
)  # fmt: skip


def channel_view(name: str, extension: str | None = None, **more: Any) -> ChannelView:
    """Return a channel that is up."""
    return replace(_CHANNEL, channel=name, extension=extension, **more)


def recorder_status(name: str, **more: Any) -> RecorderStatus:
    """Return a recorder that nobody pressed for; it records when nothing else is given."""
    return replace(_RECORDER, recorder=name, **more)


def intent_view(verb: str, **more: Any) -> IntentView:
    """Return what a press holds."""
    return replace(_INTENT, verb=verb, **more)


def call_view(name: str, *recorders: RecorderStatus, **more: Any) -> CallView:
    """Return a call with these recorders, of one extension of the same name."""
    call = CallView(name, (name,), {}, (), (), recorders)
    return replace(call, **more)
