# SPDX-License-Identifier: Apache-2.0
"""The settings of a `asterisk` recorder, as `[recorders.NAME]` holds them."""

from dataclasses import dataclass

from ami import recording_actions


@dataclass(frozen=True, slots=True)
class AsteriskSettings:
    """Settings of a `asterisk` recorder.

    `file` names the recording that `start` makes, relative to Asterisk's monitor folder;
    `{uniqueid}`, `{linkedid}` and `{extension}` are filled in, and `options` are MixMonitor's
    own. Starting needs the AMI privilege `system`; stopping and pausing do not.
    """

    file: str = "{uniqueid}-restarted.wav"
    options: str = ""

    def __post_init__(self) -> None:
        """Refuse a file name that cannot be filled in, or that could run a command."""
        try:
            made = self.file.format(uniqueid="1.0", linkedid="1.0", extension="410")
        except (KeyError, IndexError, ValueError):
            raise ValueError(
                "file: only {uniqueid}, {linkedid} and {extension} can be filled in"
            ) from None
        if not recording_actions.is_plain_file(made):
            raise ValueError("file: a plain file name is needed, without , ` $ | ; or &")
        if not recording_actions.are_plain_options(self.options):
            raise ValueError("options: letters with arguments in brackets are needed, as a or v(2)")
