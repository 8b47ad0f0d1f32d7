# SPDX-License-Identifier: Apache-2.0
"""What the live tests share: how a site is made, and whether real Asterisks are required."""

import os
from collections.abc import Callable

from lab.site import LabSite

REQUIRED = os.environ.get("OFFRECORD_LAB") == "required"

SiteMaker = Callable[..., LabSite]
