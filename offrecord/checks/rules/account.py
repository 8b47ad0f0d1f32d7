# SPDX-License-Identifier: Apache-2.0
"""The PBX: whether it can be asked, what its version is known for, what the account may do."""

from typing import Final

from ami import privileges
from ami.errors import AmiUnsupported
from ami.events.filters import hidden
from ami.link.supervisor import LinkState
from ami.privileges import Excessive, Missing
from offrecord.asterisk_files import conf_parser
from offrecord.base.errors import Exit, user_error
from offrecord.checks.finding import Finding, failure, ok, skipped, some, warning
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.known_bugs import known_bugs

_PATIENCE: Final = 4.0
"""Seconds for the link to find out its privileges."""


async def pbx(inputs: CheckInputs) -> list[Finding]:
    """Check the login. A missing privilege is reported by the rule `privileges` alone.

    Of a version that is too old nothing else is said: its answers are other ones.
    """
    if inputs.trouble is None:
        version = ".".join(str(part) for part in inputs.pbx.version)
        count = len(inputs.pbx.graph.calls())
        return [ok("pbx", f"Asterisk {version}, {count} calls up")]
    trouble = inputs.trouble
    if isinstance(trouble, AmiUnsupported):
        return [failure("pbx", trouble.message, trouble.fix, Exit.PBX_SETUP)]
    await _report(inputs)
    if inputs.pbx.missing_privileges:
        return []
    return [failure("pbx", trouble.message, trouble.fix, user_error(trouble).exit)]


async def version(inputs: CheckInputs) -> list[Finding]:
    """List the known bugs of this version of Asterisk."""
    if not inputs.reachable:
        return []
    held = privileges.certain_writes(inputs.granted)
    found = known_bugs(inputs.pbx.version, held)
    return [warning("version", bug.what, f"{bug.do}; see {bug.source}") for bug in found]


async def account(inputs: CheckInputs) -> list[Finding]:
    """Check the account for missing privileges, and for those that nothing uses."""
    if inputs.pbx.link.state is not LinkState.UP or inputs.pbx.unsupported is not None:
        return []
    report = await _report(inputs)
    if report is None:
        text = "the PBX did not say what the account may do"
        return [failure("privileges", text, "see whether it is overloaded", Exit.PBX_PRIVILEGES)]
    too_much = [_too_much(one) for one in report.excessive]
    if report.missing:
        return [*map(_missing, report.missing), *too_much]
    blind = ", ".join(f"{one.direction} = {one.privilege}" for one in report.unchecked)
    text = f"enough, as far as can be checked: {blind} cannot" if blind else "enough"
    return [ok("privileges", text), *too_much]


async def events(inputs: CheckInputs) -> list[Finding]:
    """Check that no `eventfilter` keeps events from the account that a verdict is made from.

    A recording that begins without its event would be taken for none.
    """
    if not inputs.reachable:
        return []
    ours = inputs.loaded.config.ami.username
    lines = [
        (line.key, line.value)
        for line in conf_parser.lines(inputs.tree or {}, "manager.conf", str(inputs.etc))
        if line.section == ours and line.key.partition("(")[0] == "eventfilter"
    ]
    lost = tuple(dict.fromkeys((*inputs.pbx.monitor_events.hidden, *hidden(lines))))
    if lost:
        text = f"an eventfilter keeps events from the account that are needed: {some([*lost])}"
        fix = f"take the lines eventfilter that name them out of [{ours}] in manager.conf"
        return [failure("events", text, f"{fix}, then asterisk -rx 'manager reload'",
                        Exit.PBX_SETUP)]  # fmt: skip
    if inputs.tree is None and not await inputs.getvar(f"AST_CONFIG(manager.conf,{ours},read)"):
        return [skipped("events", "whether an eventfilter keeps some away cannot be looked at")]
    return [ok("events", "no eventfilter keeps needed ones from the account")]


def _missing(one: Missing) -> Finding:
    text, _, fix = str(one).partition("; ")
    return failure("privileges", text, fix, Exit.PBX_PRIVILEGES)


async def _report(inputs: CheckInputs) -> privileges.PrivilegeReport | None:
    if inputs.pbx.link.state is not LinkState.UP:
        return None
    return await inputs.pbx.wait_privileges(_PATIENCE)


def _too_much(one: Excessive) -> Finding:
    """Return the finding for a privilege that nothing uses."""
    return warning(
        "privileges",
        f"{one.direction} = {one.privilege} is more than is used: {one.risk}",
        f"take {one.privilege} out of the account's line `{one.direction} =` in manager.conf",
    )
