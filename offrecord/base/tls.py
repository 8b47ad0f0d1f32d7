# SPDX-License-Identifier: Apache-2.0
"""TLS contexts of the addresses that the daemon itself listens on."""

import ssl
from pathlib import Path


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context that serves HTTPS with these PEM files.

    Raises `ValueError` naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "they do not fit"
        raise ValueError(f"no certificate with its key in {certificate} and {key}: {why}") from None
    return context
