# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: how a site is made, and whether real Asterisks are required."""

import os
from collections.abc import Callable
from typing import Any

from lab.site import LabSite

REQUIRED = os.environ.get("OFFRECORD_LAB") == "required"

SiteMaker = Callable[..., LabSite]


async def press_by_socket(
    here: LabSite, verb: str, uniqueid: str, way: str = "cli"
) -> dict[str, Any]:
    """Press on a channel through the control socket; return the verdict, with its `reason`.

    `way` is "agi" for what the one-shot script sends: it names its channel, and is told in a text.
    """
    [channel] = [c["Channel"] for c in await here.pbx.channels() if c["Uniqueid"] == uniqueid]
    told = await here.ask({
        "op": "press", "way": way, "verb": verb, "wait": 30.0,
        "uniqueid": uniqueid, "channel": channel,
    })  # fmt: skip
    return {"reason": told.get("text"), **told}
