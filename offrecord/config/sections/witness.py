# SPDX-License-Identifier: Apache-2.0
"""The section about the files that Asterisk records into."""

from pydantic import Field

from offrecord.config.fields import AnyPath, Section, Text


class WitnessConfig(Section):
    """`[witness]`: after a stop, look whether a file still grows that no other call explains."""

    enabled: bool = Field(default=True, description="false to look at no files")
    folders: tuple[AnyPath, ...] = Field(
        default=(),
        description="more folders that recordings go to, as this machine sees them, beside those "
        'of the spool, such as ["/srv/recordings"]',
    )
    others: tuple[Text, ...] = Field(
        default=(),
        description="patterns of files, by path or by name, that something else writes there, "
        'such as ["dictation-*.wav"]',
    )
