# SPDX-License-Identifier: Apache-2.0
"""The page: one live board of calls, the presses of late, the audit, one press as a picture.

Rendered on the server; `router` returns what the HTTP address serves.
"""

from offrecord.web.page.responses import PREFIX
from offrecord.web.page.routes import router

__all__ = ["PREFIX", "router"]
