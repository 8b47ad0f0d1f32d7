# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates for simulators, the demo and tests: an authority and one server."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DAYS = 30


class CertificatesUnavailable(Exception):
    """Throw-away certificates need the package cryptography, which is not installed."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the authority a client is to trust, and the server's certificate and key."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of the server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        return context


def issue(
    folder: Path, names: Sequence[str] = ("localhost", "127.0.0.1", "::1"), *, days: int = _DAYS
) -> Certificates:
    """Make an authority and a certificate for `names` in `folder`, valid for `days`.

    A negative number of days makes one that has expired. Raises `CertificatesUnavailable` where the
    package `cryptography` is missing.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise CertificatesUnavailable from None
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate((), ca_key, signer=ca_key, issuer=None, days=days)
    server = _certificate(names, key, signer=ca_key, issuer=authority, days=days)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    _write(made, authority, server, key)
    return made


def _certificate(names: Sequence[str], key: Any, *, signer: Any, issuer: Any, days: int) -> Any:
    """Return a certificate signed by `signer`; without an `issuer` it is the authority itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    name = names[0] if names else "offrecord throw-away authority"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=abs(days) + 1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    if names:
        listed = x509.SubjectAlternativeName([_general_name(x509, item) for item in names])
        builder = builder.add_extension(listed, critical=False)
    else:
        builder = builder.add_extension(_authority_usage(x509), critical=True)
    return builder.sign(signer, hashes.SHA256())


def _authority_usage(x509: Any) -> Any:
    allowed = {"key_cert_sign": True, "crl_sign": True}
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def _general_name(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(made: Certificates, authority: Any, server: Any, key: Any) -> None:
    from cryptography.hazmat.primitives import serialization as form

    made.ca_file.write_bytes(authority.public_bytes(form.Encoding.PEM))
    made.cert_file.write_bytes(server.public_bytes(form.Encoding.PEM))
    made.key_file.touch(mode=0o600)
    made.key_file.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
