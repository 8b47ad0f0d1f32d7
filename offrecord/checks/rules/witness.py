# SPDX-License-Identifier: Apache-2.0
"""The rule about the folders that recordings go to: whether this machine can watch them."""

import asyncio
from pathlib import Path

from offrecord.checks.finding import Finding, ok, skipped, some, warning
from offrecord.checks.inputs import CheckInputs
from offrecord.witness.folders import MONITOR, SPOOL, why_not
from offrecord.witness.places import ELSEWHERE, SPOOL_VARIABLE

_FOLDERS = (
    "name the folders as this machine sees them in `folders` of [witness], and let the daemon's"
    " user read them: usermod -aG asterisk offrecord, then systemctl restart offrecord"
)


async def witness(inputs: CheckInputs) -> list[Finding]:
    """Check that files which still grow after a stop would be seen."""
    given = inputs.loaded.config.witness
    if not given.enabled:
        return [warning("witness", "not watched: switched off", "enabled = true in [witness]")]
    folders = [*given.folders]
    found: list[Finding] = []
    spool = await inputs.getvar(SPOOL_VARIABLE) if inputs.pbx_is_here else ""
    if not inputs.pbx_is_here:
        found.append(skipped("witness", f"spool not watched: {ELSEWHERE}", _FOLDERS))
    elif not spool.startswith("/"):
        found.append(skipped("witness", "spool not watched: the PBX does not say where it is"))
    else:
        seen = await asyncio.to_thread(_of_spool, Path(spool))
        # A folder of the same name is the spool's own as this machine sees it.
        named = {one.name for one in given.folders if one not in seen}
        folders += [one for one in seen if one.name not in named]
    problems = await asyncio.to_thread(lambda: [(one, why_not(one)) for one in folders])
    found += [
        warning("witness", f"{folder} not watched: {why}", _FOLDERS)
        for folder, why in problems if why
    ]  # fmt: skip
    good = [str(folder) for folder, why in problems if not why]
    return [*found, *([ok("witness", f"watches {some(good)}")] if good else [])]


def _of_spool(spool: Path) -> list[Path]:
    return [spool / name for name in SPOOL if name == MONITOR or (spool / name).exists()]
