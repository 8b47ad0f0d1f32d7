# SPDX-License-Identifier: Apache-2.0
"""The PBX: whether it can be asked, what its version is known for, what the account may do."""

from typing import Final

from ami import privileges
from ami.link.supervisor import LinkState
from ami.privileges import Excessive, Missing
from offrecord.base.errors import Exit, user_error
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.known_bugs import landmines
from offrecord.checks.model import Finding, broken, doubt, well

_PATIENCE: Final = 4.0
"""Seconds for the privileges to be found out."""


async def pbx(scene: CheckInputs) -> list[Finding]:
    """Say whether the PBX can be asked; where a privilege is why not, that rule says so."""
    if scene.trouble is None:
        version = ".".join(str(part) for part in scene.pbx.version)
        count = len(scene.pbx.graph.calls())
        return [well("pbx", f"Asterisk {version}, {count} calls up")]
    await _report(scene)
    if scene.pbx.missing_privileges:
        return []
    trouble = scene.trouble
    return [broken("pbx", trouble.message, trouble.fix, user_error(trouble).exit)]


async def version(scene: CheckInputs) -> list[Finding]:
    """Say what this version of Asterisk is known for."""
    if not scene.asked:
        return []
    held = privileges.certain_writes(scene.granted)
    found = landmines(scene.pbx.version, held)
    return [doubt("version", mine.what, f"{mine.do}; see {mine.source}") for mine in found]


async def account(scene: CheckInputs) -> list[Finding]:
    """Say what the account lacks, and what it has too much."""
    if scene.pbx.link.state is not LinkState.UP:
        return []
    report = await _report(scene)
    if report is None:
        text = "the PBX did not say what the account may do"
        return [broken("privileges", text, "see whether it is overloaded", Exit.PBX_PRIVILEGES)]
    local = any(recorder.capabilities.on_pbx for recorder in scene.recorders.values())
    too_much = [_too_much(one, local=local) for one in report.excessive]
    if report.missing:
        return [*map(_missing, report.missing), *too_much]
    blind = ", ".join(f"{one.direction} = {one.privilege}" for one in report.unchecked)
    text = f"enough, as far as can be checked: {blind} cannot" if blind else "enough"
    return [well("privileges", text), *too_much]


def _missing(one: Missing) -> Finding:
    text, _, fix = str(one).partition("; ")
    return broken("privileges", text, fix, Exit.PBX_PRIVILEGES)


async def _report(scene: CheckInputs) -> privileges.PrivilegeReport | None:
    if scene.pbx.link.state is not LinkState.UP:
        return None
    return await scene.pbx.wait_privileges(_PATIENCE)


def _too_much(one: Excessive, *, local: bool) -> Finding:
    """Weigh a privilege that the account could do without.

    `ConfbridgeStopRecord`, which alone stops what ConfBridge itself records, needs `system`: where
    the PBX is a recorder the account may have it on purpose.
    """
    if local and one.privilege == "system":
        text = (
            "write = system is there: it stops what ConfBridge records of a conference, which"
            f" nothing else can; without such conferences take it away, as it also {one.risk}"
        )
        return well("privileges", text)
    return doubt(
        "privileges",
        f"{one.direction} = {one.privilege} is more than is used: {one.risk}",
        f"take {one.privilege} out of the account's line `{one.direction} =` in manager.conf",
    )
