# SPDX-License-Identifier: Apache-2.0
"""The rule about certificates: how long ours, the PBX's and the recorders' are valid.

The dates of X.509 (RFC 5280, 4.1.2.5) are read from the certificate's bytes: Python shows them
only of one that it has verified, and the one that has expired is the one to be read.
"""

import asyncio
import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, failure, ok, warning
from offrecord.checks.inputs import CheckInputs

SOON: Final = 21
"""Days of validity left below which the rule warns."""

_PATIENCE: Final = 4.0
_CONTEXT: Final = 0xA0
_TIMES: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


async def certificates(inputs: CheckInputs) -> list[Finding]:
    """List the certificates that have expired or soon will."""
    ends = [(name, await _served(host, port)) for name, host, port in _addresses(inputs)]
    http = inputs.loaded.config.http
    own = "the certificate of [http]"
    if http.certificate is not None:
        ends.append((own, _kept(http.certificate)))
    now = dt.datetime.now(dt.UTC)
    found, best = [], []
    for name, end in ends:
        if end is None:
            continue  # unreachable: reported by the rule about it
        left = (end - now).days
        best.append((end, name))
        if end <= now and name == own:
            text = f"{name} has expired on {end:%Y-%m-%d}"
            found.append(failure("certificates", text, "renew it, then reload", Exit.CONFIG))
        elif now < end and left < SOON:
            text = f"{name} ends in {left} days, on {end:%Y-%m-%d}"
            found.append(warning("certificates", text, "renew it"))
    if found or not best:
        return found
    end, name = min(best)
    # An expired certificate of the PBX or a recorder is reported by the rule that connects to it.
    return (
        [ok("certificates", f"the first to end is {name}, on {end:%Y-%m-%d}")] if end > now else []
    )


def _addresses(inputs: CheckInputs) -> Iterator[tuple[str, str, int]]:
    config = inputs.loaded.config
    if config.ami.tls:
        yield "the certificate of the PBX", config.ami.host, config.ami.port
    for name, recorder in config.recorders.items():
        if not recorder.enabled:
            continue
        for value in recorder.options.values():
            for url in value if isinstance(value, list | tuple) else [value]:
                parts = urlsplit(url) if isinstance(url, str) else None
                if parts is not None and parts.scheme == "https" and parts.hostname:
                    yield f"the certificate of {name}", parts.hostname, parts.port or 443


async def _served(host: str, port: int) -> dt.datetime | None:
    """Return the end of validity of the certificate that a server presents. Sends no request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only its date is read
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return None
    return last_day(der) if der else None


def _kept(path: Path) -> dt.datetime | None:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        return None
    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body = text.partition(start)[2].partition(end)[0]
    return last_day(ssl.PEM_cert_to_DER_cert(f"{start}{body}{end}")) if body else None


def last_day(der: bytes) -> dt.datetime | None:
    """Return the end of validity of a certificate; None for bytes that are no certificate."""
    try:
        fields = list(_items(_inside(_inside(der))))
        # version (which may be missing), serial number, signature, issuer, validity
        at = 4 if fields[0][0] == _CONTEXT else 3
        _, (kind, text) = list(_items(fields[at][1]))
        return dt.datetime.strptime(text.decode("ascii"), _TIMES[kind]).replace(tzinfo=dt.UTC)
    except (IndexError, KeyError, StopIteration, ValueError):
        return None


def _inside(der: bytes) -> bytes:
    """Return the content of the first item."""
    return next(_items(der))[1]


def _items(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the items of DER, each its tag and its bytes. Raises `IndexError` and `ValueError`."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(der[at : at + count])
            at += count
        if at + length > len(der):
            raise ValueError("cut short")
        yield tag, der[at : at + length]
        at += length
