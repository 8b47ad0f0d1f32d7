# SPDX-License-Identifier: Apache-2.0
"""Reads the dialplan's hints: which extension a device belongs to.

A hint connects an extension with the device whose state its lamp shows. It names the owner of
devices that are not named after extensions. `ExtensionStateList` lists them (class `call` or
`reporting`); on Asterisk 16.28 and 22.10 a row holds `Exten: 470`, `Context` and
`Hint: PJSIP/fred&Custom:DND470`, presence parts and patterns are left out, and no hint at all is
an empty list.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Final

from ami.errors import AmiDenied, AmiTimeout
from ami.link.supervisor import AmiLink

log = logging.getLogger(__name__)

LIST: Final = "ExtensionStateList"
_TIMEOUT: Final = 5.0
_NUMBER: Final = re.compile(r"\+?[0-9]{1,20}")


def owners(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the one extension that owns each device such as `PJSIP/fred`.

    Skipped are hints that watch several devices (a group), hints of feature codes (`*80470`), and
    devices that the hints of two extensions watch. Nothing is guessed.
    """
    claims: dict[str, set[str]] = {}
    for row in rows:
        exten = row.get("Exten", "")
        devices = [part.strip() for part in row.get("Hint", "").split("&") if "/" in part]
        if _NUMBER.fullmatch(exten) and len(devices) == 1:
            claims.setdefault(devices[0], set()).add(exten)
    return {device: min(extens) for device, extens in claims.items() if len(extens) == 1}


async def read(link: AmiLink) -> dict[str, str] | None:
    """Return the owners of devices by the PBX's hints; None when it denies or does not answer.

    Raises AmiDown.
    """
    try:
        rows = await link.action_list(LIST, timeout=_TIMEOUT)
    except (AmiDenied, AmiTimeout) as error:
        log.warning("ami hints not read, pbx=%s reason=%s", link.settings.address, error)
        return None
    return owners(row.headers for row in rows)
