# SPDX-License-Identifier: Apache-2.0
"""The objects that one press passes through, made and connected: the same in daemon and replay."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ami.ports import PbxPort
from offrecord.enforcement.context import Observers
from offrecord.enforcement.enforcer import EnforcementSettings, Enforcer
from offrecord.enforcement.orders import OrderSender
from offrecord.journal.journal import Journal
from offrecord.model.intents import Intents
from offrecord.model.press import now_ms
from offrecord.presses.lifecycle import Engine
from offrecord.presses.records import Records
from offrecord.presses.site_settings import CurrentSite, SiteSettings
from offrecord.status.event_feed import EventFeed


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that a daemon goes by; a replay and tests have another one.

    `monotonic` returns seconds, `now` milliseconds since the epoch, UTC; `sleep` takes seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], int] = now_ms
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class PressPath:
    """The objects that carry out and enforce presses on one PBX: engine, enforcer, records, feed.

    `settings` are those of the site, `enforcement` those of stops and pauses that outlive their
    press; `observers` are called by the enforcer. The enforcer's events come from `pbx`.
    """

    def __init__(
        self,
        pbx: PbxPort,
        journal: Journal,
        settings: SiteSettings,
        *,
        join_window: float,
        enforcement: EnforcementSettings | None = None,
        observers: Observers | None = None,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or Clock()
        self.clock = clock
        self.feed = EventFeed()
        self.records = Records(journal, self.feed.publish, clock.now)
        self.site = CurrentSite(settings)
        self.enforcer = Enforcer(
            pbx, OrderSender(self.site, lambda: pbx.graph), Intents(), self.records.write,
            enforcement, observers=observers, now=clock.now, monotonic=clock.monotonic,
            sleep=clock.sleep,
        )  # fmt: skip
        self.engine = Engine(
            self.site, self.records, self.enforcer, join_window, monotonic=clock.monotonic
        )
        pbx.subscribe(self.enforcer.event)
