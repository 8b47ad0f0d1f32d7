# SPDX-License-Identifier: Apache-2.0
"""The shipped files that `init` copies from: dialplan snippets and the systemd unit."""

from pathlib import Path

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parent.parent


def snippet(name: str) -> str:
    """Return the text of one dialplan snippet, in a checkout or in a wheel."""
    beside = _CHECKOUT / "dialplan-examples" / name
    return (beside if beside.is_file() else _packed(name)).read_text()


def _packed(name: str) -> Path:
    return _HERE / "dialplan-examples" / name


def unit() -> str:
    """Return the text of the systemd unit, in a checkout or in a wheel."""
    beside = _CHECKOUT / "packaging" / "offrecord.service"
    return (beside if beside.is_file() else _HERE / "offrecord.service").read_text()
