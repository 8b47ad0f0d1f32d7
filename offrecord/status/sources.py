# SPDX-License-Identifier: Apache-2.0
"""The parts of a running daemon that health and metrics look at."""

from typing import Protocol

from agi.server import FastAgiServer
from ami.pbx import Pbx
from offrecord.enforcement.enforcer import Enforcer
from offrecord.journal.journal import Journal
from offrecord.presses.records import Records
from offrecord.presses.site_settings import CurrentSite
from offrecord.status.event_feed import EventFeed
from offrecord.witness.witness import Witness


class Sources(Protocol):
    """The parts of a daemon that health and metrics are read from; `Components` has all of them."""

    @property
    def pbx(self) -> Pbx:
        """The PBX."""

    @property
    def fastagi(self) -> FastAgiServer:
        """The FastAGI server."""

    @property
    def journal(self) -> Journal:
        """The journal."""

    @property
    def records(self) -> Records:
        """The records on their way to the journal."""

    @property
    def feed(self) -> EventFeed:
        """The published records."""

    @property
    def site(self) -> CurrentSite:
        """The site's settings."""

    @property
    def enforcer(self) -> Enforcer:
        """The intents in force."""

    @property
    def witness(self) -> Witness:
        """The watch on the files that are recorded into."""
