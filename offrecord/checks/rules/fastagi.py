# SPDX-License-Identifier: Apache-2.0
"""The rule about the way from the PBX to the daemon: it is walked as the PBX would walk it.

A request for the verb `check`, which there is none of, is refused by the daemon in a way that
nobody else has: it sets the channel variable OFFRECORD_OUTCOME. No press comes of it; the daemon
logs that somebody asked for an unknown verb.
"""

import asyncio
import contextlib
import socket
from typing import Final

from offrecord.base.errors import Exit
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.model import Finding, broken, unseen, well
from offrecord.checks.rules.features import ANYWHERE
from offrecord.config.fields import is_loopback

_PATIENCE: Final = 2.0
"""Seconds; Asterisk gives up on a connection after as many."""

_MARK: Final = b"OFFRECORD_OUTCOME"
_ASK: Final = (
    b"agi_network: yes\nagi_network_script: check\nagi_request: agi://localhost/check\n"
    b"agi_channel: offrecord/check\nagi_uniqueid: 0.0\n\n"
)


async def fastagi(scene: CheckInputs) -> list[Finding]:
    """Say whether the daemon answers where the PBX looks for it."""
    agi = scene.loaded.config.agi
    if not agi.port:
        return [unseen("fastagi", "agi.port is 0, so the port is another at every start")]
    if not scene.near and is_loopback(agi.host):
        text = (
            f"the daemon listens on {agi.host}, where the PBX on {scene.loaded.config.ami.host}"
            " cannot reach it"
        )
        fix = "set `host` in [agi] to this machine's address in the PBX's network"
        return [broken("fastagi", text, fix, Exit.PBX_SETUP)]
    host = "127.0.0.1" if agi.host in ANYWHERE else agi.host
    return [await _tried(host, agi.port, near=scene.near)]


async def _tried(host: str, port: int, *, near: bool) -> Finding:
    place = f"{host}:{port}"
    try:
        ours = await _ask(host, port)
    except ConnectionRefusedError:
        text = f"nobody listens on {place}"
        return unseen("fastagi", text, "start the daemon, and run check again")
    except OSError as error:
        why = error.strerror or "no answer in time"
        return broken("fastagi", f"{place}: {why}", "see the daemon's log", Exit.PBX_SETUP)
    if not ours:
        text = f"what listens on {place} does not answer as offrecord does"
        fix = (
            "see what it is by `ss -ltnp`; end it, or set another `port` in [agi] and the dialplan"
        )
        return broken("fastagi", text, fix, Exit.PORT_IN_USE)
    if near:
        return well("fastagi", f"the daemon answers on {place}")
    text = f"the daemon answers on {place}; whether the PBX reaches it cannot be seen from here"
    return unseen("fastagi", text, f"on the PBX: nc -z -w 2 {host} {port}")


async def _ask(host: str, port: int) -> bool:
    """Speak a FastAGI greeting; say whether the answer is the daemon's.

    Raises OSError when nobody takes the connection.
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
