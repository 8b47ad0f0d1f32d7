# SPDX-License-Identifier: Apache-2.0
"""The rule about FastAGI: connect to the daemon as the PBX would.

The daemon refuses a request for the verb `check`, which does not exist, by setting the channel
variable OFFRECORD_OUTCOME; no other AGI server does that. It makes no press; the daemon logs an
unknown verb.
"""

import asyncio
import contextlib
import socket
from typing import Final

from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, failure, ok, skipped
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.rules.features import ANYWHERE
from offrecord.config.fields import is_loopback

_PATIENCE: Final = 2.0
"""Seconds; Asterisk gives up on a connection after as many."""

_MARK: Final = b"OFFRECORD_OUTCOME"
_ASK: Final = (
    b"agi_network: yes\nagi_network_script: check\nagi_request: agi://localhost/check\n"
    b"agi_channel: offrecord/check\nagi_uniqueid: 0.0\n\n"
)


async def fastagi(inputs: CheckInputs) -> list[Finding]:
    """Check that the daemon answers at the address that the PBX connects to."""
    agi = inputs.loaded.config.agi
    if not agi.port:
        return [skipped("fastagi", "agi.port is 0, so the port is another at every start")]
    if not inputs.pbx_is_here and is_loopback(agi.host):
        text = (
            f"the daemon listens on {agi.host}, where the PBX on {inputs.loaded.config.ami.host}"
            " cannot reach it"
        )
        fix = "set `host` in [agi] to this machine's address in the PBX's network"
        return [failure("fastagi", text, fix, Exit.PBX_SETUP)]
    host = "127.0.0.1" if agi.host in ANYWHERE else agi.host
    return [await _tried(host, agi.port, near=inputs.pbx_is_here)]


async def _tried(host: str, port: int, *, near: bool) -> Finding:
    place = f"{host}:{port}"
    try:
        ours = await _ask(host, port)
    except ConnectionRefusedError:
        text = f"nobody listens on {place}"
        return skipped("fastagi", text, "start the daemon, and run check again")
    except OSError as error:
        why = error.strerror or "no answer in time"
        return failure("fastagi", f"{place}: {why}", "see the daemon's log", Exit.PBX_SETUP)
    if not ours:
        text = f"what listens on {place} does not answer as offrecord does"
        fix = (
            "see what it is by `ss -ltnp`; end it, or set another `port` in [agi] and the dialplan"
        )
        return failure("fastagi", text, fix, Exit.PORT_IN_USE)
    if near:
        return ok("fastagi", f"the daemon answers on {place}")
    text = f"the daemon answers on {place}; whether the PBX reaches it cannot be seen from here"
    return skipped("fastagi", text, f"on the PBX: nc -z -w 2 {host} {port}")


async def _ask(host: str, port: int) -> bool:
    """Send a FastAGI greeting; return whether the answer is one of the daemon.

    Raises OSError when nothing accepts the connection.
    """
    async with asyncio.timeout(_PATIENCE):
        reader, writer = await asyncio.open_connection(host, port, family=socket.AF_UNSPEC)
    try:
        async with asyncio.timeout(_PATIENCE):
            writer.write(_ASK)
            while line := await reader.readline():
                if _MARK in line:
                    return True
                writer.write(b"200 result=1\n")
    except (OSError, ValueError):
        return False  # it spoke too much, or not at all
    finally:
        writer.close()
        with contextlib.suppress(OSError):  # it is closed either way
            await writer.wait_closed()
    return False
