# SPDX-License-Identifier: Apache-2.0
"""Keeps the check of the AMI account current: after each login, and until Asterisk has booted.

What the answers of the PBX mean is in `ami.privileges`; when they are requested is here.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ami import privileges
from ami.errors import AmiDown, AmiError
from ami.link.supervisor import AmiLink, Response
from ami.privileges import Granted, PrivilegeReport
from ami.versions import parse_version, unsupported

log = logging.getLogger(__name__)

BOOT_CHECKS: Final = 60
"""Checks, a second apart, for modules that Asterisk has not loaded yet."""


class AccountCheck:
    """The account of one link. `run` it in a task; `request` a check after each login.

    `on_report`: called with each report that differs from the one before.
    """

    def __init__(self, link: AmiLink, on_report: Callable[[PrivilegeReport], None]) -> None:
        self._link = link
        self._on_report = on_report
        self._requested = asyncio.Event()
        self.granted: Granted = {}
        """The actions the account may run, each with the classes that allow it."""
        self.version: tuple[int, ...] = ()
        """Asterisk's version, such as (22, 10, 1); empty when not known."""
        self.unsupported: str | None = None
        """The sentence for a PBX of a version that is too old, None for any other."""
        self.report: PrivilegeReport | None = None
        """The report on the account's privileges; None until checked after a login."""
        self.checked = asyncio.Event()
        """Set once `report` is known."""

    def request(self) -> None:
        """Check the account soon."""
        self._requested.set()

    def booted(self) -> None:
        """Check the account soon if modules were not loaded at the last check."""
        if self.report is not None and self.report.not_loaded:
            self._requested.set()

    async def list_actions(self) -> None:
        """Read `granted` and `version` from the PBX. Raises AmiDown, AmiTimeout."""
        self.granted = privileges.granted(await self._action("ListCommands"))
        if "CoreSettings" in self.granted:
            core = await self._action("CoreSettings")
            ami = core.headers.get("AMIversion", "")
            self.version = parse_version(core.headers.get("AsteriskVersion", ""), ami)
            self.unsupported = unsupported(self.version, ami)

    async def run(self) -> None:
        """Check on each request, and again each second while Asterisk is booting."""
        checks = 0
        while True:
            await self._requested.wait()
            self._requested.clear()
            try:
                report = await self._check()
            except AmiDown:
                checks = 0
                continue  # the next login requests it again
            checks = checks + 1 if report is None or report.not_loaded else 0
            if 0 < checks < BOOT_CHECKS:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await self._requested.wait()
                self._requested.set()

    async def _check(self) -> PrivilegeReport | None:
        """Make the report; return None if an answer was missing. Raises AmiDown."""
        address = self._link.settings.address
        try:
            await self.list_actions()
            if self.unsupported is not None:
                # its missing events would be taken for missing privileges
                report = PrivilegeReport()
            else:
                report = await privileges.check(self._link, self.granted)
        except AmiDown:
            raise
        except AmiError as error:
            log.warning("ami account not checked, pbx=%s reason=%s", address, error)
            return None
        if report != self.report:
            for missing in report.missing:
                log.error("ami privilege missing, pbx=%s: %s", address, missing)
            self.report = report
            self._on_report(report)
        self.checked.set()
        return report

    async def _action(self, name: str) -> Response:
        return await self._link.action(name, timeout=self._link.settings.action_timeout)
