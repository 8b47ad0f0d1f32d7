# SPDX-License-Identifier: Apache-2.0
"""Opens one connection to the manager interface, and turns what fails into AmiErrors with a fix.

Sends nothing but the TLS handshake. The secret is sent only over what `connect` returns.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ami.errors import AmiInsecure, AmiUnreachable, AmiUntrusted
from ami.link.protocol import AmiProtocol, Owner
from ami.settings import AmiSettings, is_loopback

_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", 5),
    ("TCP_KEEPINTVL", 2),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 12_000),  # milliseconds that sent bytes may stay unacknowledged
)
"""Besides the ping: the kernel gives up a silent peer after about 11 s."""

_HOSTNAME_MISMATCH: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_ and IP_ADDRESS_MISMATCH
_EXPIRED: Final = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID and HAS_EXPIRED


async def connect(settings: AmiSettings, owner: Owner) -> AmiProtocol:
    """Return an open connection on which it is safe to log in.

    Raises AmiInsecure when the secret would be sent unencrypted to another machine, AmiUntrusted
    when the PBX's certificate is not valid, AmiUnreachable when there is no connection.
    """
    if is_loopback(settings.host) is not None:
        guard_secret(settings, settings.host)
    with translated(settings):
        context = tls_context(settings) if settings.tls else None
        async with asyncio.timeout(settings.connect_timeout):
            transport, protocol = await asyncio.get_running_loop().create_connection(
                lambda: AmiProtocol(owner),
                settings.host,
                settings.port,
                ssl=context,
                server_hostname=(settings.server_hostname or settings.host) if context else None,
            )
    peer = transport.get_extra_info("peername")
    try:
        guard_secret(settings, str(peer[0]))  # a name may have led anywhere
    except AmiInsecure:
        transport.abort()
        raise
    keep_alive(transport.get_extra_info("socket"))
    return protocol


def guard_secret(settings: AmiSettings, address: str) -> None:
    """Raise AmiInsecure if the secret would go to this address unencrypted without permission."""
    if settings.tls or settings.allow_plain_tcp or is_loopback(address):
        return
    raise AmiInsecure(
        f"the secret for {settings.address} would cross the network unencrypted",
        fix="set ami.tls, or ami.allow_plain_tcp if the network is trusted",
    )


def keep_alive(sock: Any) -> None:
    """Enable TCP keepalive on a connection, with the options that this system has."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def tls_context(settings: AmiSettings) -> ssl.SSLContext:
    """Return a context that checks certificate and name. Raises AmiUntrusted on a bad `ca_file`."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise AmiUntrusted(
            f"the authority file {settings.ca_file} cannot be used "
            f"({getattr(error, 'strerror', None) or 'no certificate in it'})",
            fix="name a readable PEM file in ami.ca_file",
        ) from error


@contextmanager
def translated(settings: AmiSettings) -> Iterator[None]:
    """Raise this package's errors in place of those of the network stack."""
    where = f"the PBX at {settings.address}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise AmiUntrusted(
            f"{where} shows a certificate that is not trusted: {error.verify_message}",
            fix=_certificate_fix(error.verify_code),
        ) from error
    except ssl.SSLError as error:
        raise AmiUnreachable(
            f"{where} does not speak TLS ({error.reason or 'handshake failed'})",
            fix="set the port to tlsbindaddr's in manager.conf, or ami.tls to false on loopback",
        ) from error
    except socket.gaierror as error:
        raise AmiUnreachable(
            f"{where} is not found: {error.strerror}", fix="check ami.host"
        ) from error
    except ConnectionRefusedError as error:
        raise AmiUnreachable(
            f"{where} refuses connections",
            fix="start Asterisk, and check enabled, bindaddr and port in manager.conf",
        ) from error
    except TimeoutError as error:
        raise AmiUnreachable(
            f"{where} did not answer within {settings.connect_timeout:g} s",
            fix="check ami.host, ami.port and the firewall between",
        ) from error
    except OSError as error:
        raise AmiUnreachable(
            f"{where} cannot be reached: {error.strerror or error}",
            fix="check ami.host, ami.port and the network between",
        ) from error


def _certificate_fix(code: int) -> str:
    if code in _HOSTNAME_MISMATCH:
        return "set ami.server_hostname to the name in the certificate"
    if code in _EXPIRED:
        return "renew the certificate, or correct the clock"
    return "set ami.ca_file to the authority that signed it"
