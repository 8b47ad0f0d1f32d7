# SPDX-License-Identifier: Apache-2.0
"""Every way in which an Asterisk can record a call, or let somebody record it: one row each.

The evidence of a press, the documentation and `check` are read from this table. A way counts by
what the PBX shows of the call at hand (application, kind of channel, type of bridge, listeners),
not by a loaded module. Measured on 16.28 and 22.10.
"""

from dataclasses import dataclass
from typing import Final

EVER: Final = (0,)
"""As the first version of a way: it exists on every supported version."""


@dataclass(frozen=True, slots=True)
class WayRow:
    """What is known of one way to record.

    `way`: the name of the `Way` that deals with it, where that is not its own name.
    `one`, `many`: its recordings in a sentence ("1 MixMonitor", "2 MixMonitors"). `since` and
    `until`: the first version that has it and the first that has it no more (None: all have it).
    `shown_by`: the event or question that shows it; `right`: what the AMI account needs for that
    and for the stop. `stopped_by`, `paused_by`, `proven_by`: what does it, and the proof.
    `after_reconnect`: what is unknown of calls that are older than the link. `live_test`: the test
    that shows all this on a real Asterisk, as FILE::TEST below `tests/live`.
    """

    name: str
    one: str
    many: str
    shown_by: str
    right: str
    stopped_by: str
    paused_by: str
    proven_by: str
    after_reconnect: str
    live_test: str = ""
    way: str = ""
    since: tuple[int, ...] = EVER
    until: tuple[int, ...] | None = None

    def exists_on(self, version: tuple[int, ...]) -> bool:
        """Return whether an Asterisk of that version has it; True for an unknown, empty one."""
        if not version:
            return True
        return self.since <= version and (self.until is None or version < self.until)

    def counted(self, count: int) -> str:
        """Return `count` of its recordings in words."""
        return f"{count} {self.one if count == 1 else self.many}"


SHIPPED: Final = "read = call, write = call,reporting"
"""The rights of the account as it ships."""

NO_STOP: Final = "nothing but a hang-up"

TABLE: Final = (
    WayRow(
        "mixmonitor",
        "MixMonitor",
        "MixMonitors",
        shown_by="MixMonitorStart and MixMonitorStop; asked by StopMixMonitor on each channel",
        right=SHIPPED,
        stopped_by="StopMixMonitor, until none is left",
        paused_by="MixMonitorMute; a stop where it reaches one of several (before 18.18, 20.3)",
        proven_by="the answer that none is left; for a pause the event behind our own action",
        after_reconnect="nothing for a stop; a pause becomes a stop",
        live_test="test_ways_mixmonitor.py::test_a_plain_call_is_proven_with_the_account_as_shipped",
    ),
    WayRow(
        "monitor",
        "Monitor",
        "Monitors",
        shown_by="MonitorStart and MonitorStop; asked by MONITORED before and after StopMonitor",
        right=SHIPPED,
        stopped_by="StopMonitor on each channel",
        paused_by="PauseMonitor; Asterisk does not show whether it holds",
        proven_by="MonitorStop, or MONITORED that was true and is empty behind our own stop",
        after_reconnect="nothing for a stop; a pause becomes a stop",
        live_test="test_ways_monitor.py::test_a_monitor_beside_a_mixmonitor_is_stopped_too",
        until=(21,),
    ),
    WayRow(
        "conference",
        "conference mix",
        "conference mixes",
        shown_by="the hidden channel CBRec/… with channels of the call in its bridge",
        right=SHIPPED,
        stopped_by="StopMixMonitor on that channel",
        paused_by="it is stopped instead",
        proven_by="the answer that none is left",
        after_reconnect="nothing",
        live_test="test_ways_conference.py::test_a_mix_begun_before_the_link_is_stopped",
    ),
    WayRow(
        "ari_bridge",
        "ARI bridge recording",
        "ARI bridge recordings",
        shown_by="the hidden channel Recorder/… of this call; with [ari]: RecordingStarted",
        right=f"{SHIPPED}; [ari] for a stop",
        stopped_by="ARI; a hang-up of Recorder/… where the site allows it",
        paused_by="ARI",
        proven_by="ARI: 204, then 404",
        after_reconnect="nothing",
        live_test="test_ari_live.py::test_a_recorded_bridge_is_stopped_and_read_back",
        way="ari",
    ),
    WayRow(
        "ari_channel",
        "ARI channel recording",
        "ARI channel recordings",
        shown_by="a channel alone in Stasis; with [ari]: RecordingStarted",
        right=f"{SHIPPED}; [ari] to see it",
        stopped_by="ARI",
        paused_by="ARI",
        proven_by="ARI: 204, then 404",
        after_reconnect="everything, without [ari]",
        live_test="test_ari_live.py::test_a_channel_alone_and_a_snoop_of_another_application",
        way="ari",
    ),
    WayRow(
        "ari_snoop",
        "ARI snoop recording",
        "ARI snoop recordings",
        shown_by="a channel Snoop/… of a channel of this call; with [ari]: RecordingStarted",
        right=f"{SHIPPED}; [ari] to see whether it records",
        stopped_by="ARI",
        paused_by="ARI",
        proven_by="ARI: 204, then 404",
        after_reconnect="whether it records, without [ari]",
        live_test="test_ari_live.py::test_a_snoop_on_a_plain_call_and_another_call_that_goes_on",
        way="ari",
    ),
    WayRow(
        "spy",
        "listener by ChanSpy",
        "listeners by ChanSpy",
        shown_by="ChanSpyStart and ChanSpyStop; the application ChanSpy or ExtenSpy",
        right=SHIPPED,
        stopped_by='a hang-up, where [taps] has on_stop = "hangup"',
        paused_by="as a stop",
        proven_by="ChanSpyStop; never whether it records",
        after_reconnect="to whom it listens",
        live_test="test_taps_live.py::test_a_supervisor_who_listens_is_named_and_one_less_is_not",
        way="taps",
    ),
    WayRow(
        "listening_leg",
        "listening leg",
        "listening legs",
        shown_by="a channel UnicastRTP/…, AudioSocket/… or WebSocket/… in the call",
        right=SHIPPED,
        stopped_by='a hang-up, where [taps] has on_stop = "hangup"',
        paused_by="as a stop",
        proven_by="its Hangup; never whether it records",
        after_reconnect="nothing",
        live_test="test_taps_live.py::test_external_media_in_the_bridge_is_a_listener",
        way="taps",
    ),
    WayRow(
        "listening_program",
        "listening program",
        "listening programs",
        shown_by="the application EAGI, AudioSocket, JACK, SpeechBackground or the like",
        right=SHIPPED,
        stopped_by=NO_STOP,
        paused_by=NO_STOP,
        proven_by="never whether it records",
        after_reconnect="nothing",
        live_test="test_taps_live.py::test_a_program_that_hears_its_channel_is_a_listener",
        way="taps",
    ),
    WayRow(
        "record",
        "Record()",
        "Record()",
        shown_by="the application Record",
        right=SHIPPED,
        stopped_by=NO_STOP,
        paused_by=NO_STOP,
        proven_by="nothing",
        after_reconnect="nothing",
        live_test="test_taps_live.py::test_record_on_a_call_of_one_channel_is_named",
        way="applications",
    ),
    WayRow(
        "voicemail",
        "voicemail",
        "voicemails",
        shown_by="the applications VoiceMail, VoiceMailMain and those of MiniVM",
        right=SHIPPED,
        stopped_by=NO_STOP,
        paused_by=NO_STOP,
        proven_by="nothing",
        after_reconnect="nothing",
        live_test="test_taps_live.py::test_voicemail_is_named",
        way="applications",
    ),
    WayRow(
        "dictate",
        "Dictate()",
        "Dictate()",
        shown_by="the application Dictate",
        right=SHIPPED,
        stopped_by=NO_STOP,
        paused_by=NO_STOP,
        proven_by="nothing",
        after_reconnect="nothing",
        live_test="test_taps_live.py::test_dictation_is_named",
        way="applications",
    ),
)
"""Every way, in the order in which a verdict names them."""

BY_NAME: Final = {row.name: row for row in TABLE}
