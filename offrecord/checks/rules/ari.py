# SPDX-License-Identifier: Apache-2.0
"""The rule about ARI: it answers, its account may stop recordings, other machines reach it not."""

import re
from typing import Final

from bridges.asterisk.ari import AriError
from offrecord.assembly import build as sites
from offrecord.asterisk_files import conf_parser
from offrecord.base.errors import RECORDER_EXITS, Exit
from offrecord.checks.finding import Finding, failure, ok, put, skipped
from offrecord.checks.inputs import PATIENCE, CheckInputs
from offrecord.config.fields import is_loopback

_TRUE: Final = frozenset({"yes", "true", "y", "t", "1", "on"})


async def ari(inputs: CheckInputs) -> list[Finding]:
    """Check the account of `[ari]` and where its port listens; nothing without an account."""
    site = sites.ari(inputs.loaded)
    if site.recordings is None:
        return []
    client = site.recordings.client
    try:
        version = await client.version()
        writes = await client.may_write()
        live = await client.running((), PATIENCE)
    except AriError as problem:
        code = RECORDER_EXITS.get(problem.cause, Exit.RECORDER_REFUSED)
        return [failure("ari", problem.message, problem.fix, code), *await _outside(inputs)]
    finally:
        await client.close()
    if not writes:
        fix = "set `read_only = no` for that user in ari.conf"
        text = "the account may read recordings and stop none"
        return [failure("ari", text, fix, Exit.RECORDER_REFUSED), *await _outside(inputs)]
    text = f"Asterisk {version} answers, and the account may stop its {len(live)} live recordings"
    return [ok("ari", text), *await _outside(inputs)]


async def _outside(inputs: CheckInputs) -> list[Finding]:
    """Return a failure where http.conf has ARI answer other machines without TLS."""
    address = await _line(inputs, "bindaddr")
    enabled = await _line(inputs, "enabled")
    if address is None or enabled is None:
        text = "where ARI listens cannot be read from http.conf"
        return [skipped("ari", text, "see that its bindaddr is 127.0.0.1")]
    if enabled.lower() not in _TRUE or (address and is_loopback(_host(address))):
        return []
    text = (
        f"ARI answers other machines without TLS, on {address or 'every address'}, and its account"
        " can place calls"
    )
    fix = put("bindaddr = 127.0.0.1", "general", "http.conf", "module reload http")
    return [failure("ari", text, fix, Exit.PBX_SETUP)]


def _host(address: str) -> str:
    """Return an address of http.conf without its port and brackets."""
    return re.sub(r"^\[([^]]*)\](:\d+)?$", r"\1", address).strip()


async def _line(inputs: CheckInputs, key: str) -> str | None:
    """Return a key of http.conf's [general]: empty where it is not set, None if not readable."""
    if inputs.tree is not None and "http.conf" in inputs.tree:
        found = [
            line.value
            for line in conf_parser.lines(inputs.tree, "http.conf", str(inputs.etc))
            if line.section == "general" and line.key == key
        ]
        return found[-1] if found else ""
    told = await inputs.getvar(f"AST_CONFIG(http.conf,general,{key})")
    # The PBX says nothing of a key that is not set, and nothing where it may not be asked.
    asked = told or await inputs.getvar("AST_CONFIG(http.conf,general,enabled)")
    return told if asked else None
