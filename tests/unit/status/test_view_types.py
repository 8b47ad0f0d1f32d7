# SPDX-License-Identifier: Apache-2.0
"""What the daemon sends as JSON is read back as the same dataclasses, also by another version."""

import json
from dataclasses import asdict

import pytest

from offrecord.base.errors import Exit, UserError
from offrecord.status.event_feed import FeedEvent
from offrecord.status.view_types import DaemonStatus, LiveCalls, RecorderState, from_json, to_json
from tests.kits.view_kit import call_view, channel_view, intent_view, recorder_status

CALL = call_view(
    "1.1",
    recorder_status("local", state=RecorderState.PAUSED, until=5),
    agents={"410": "fred"},
    channels=(channel_view("SIP/410-\udcff", "410"), channel_view("SIP/trunk-2", monitors=None)),
    intents=(intent_view("pause", facts={"CDR(id)": ("7", "8")}),),
)
VIEWS = (
    LiveCalls(known=True, calls=(CALL,)),
    DaemonStatus("up", True, 1, "ok", ("local", "noojee")),
    FeedEvent(3, "verdict", 1000, "p1", {"outcome": "confirmed", "steps": [{"at": 1}]}),
)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_json_is_read_back_as_it_was_sent(view: object) -> None:
    sent = json.dumps(to_json(view))

    assert from_json(type(view), json.loads(sent)) == view
    assert sent == json.dumps(asdict(view))  # type: ignore[call-overload]


def test_a_newer_daemon_may_send_more() -> None:
    sent = {**to_json(VIEWS[1]), "more": 1}

    assert from_json(DaemonStatus, sent) == VIEWS[1]


@pytest.mark.parametrize("wrong", [{"known": "perhaps"}, {"calls": [{}]}])
def test_an_answer_that_is_not_understood_names_what_is_wrong(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"not understood: {next(iter(wrong))}") as problem:
        from_json(LiveCalls, {"known": True, "calls": [], **wrong})

    assert problem.value.exit is Exit.INTERNAL
