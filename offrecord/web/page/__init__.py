# SPDX-License-Identifier: Apache-2.0
"""The page: a live board of calls, the latest presses, a search of the journal, one press drawn.

Rendered on the server; `router` returns what the HTTP address serves.
"""

from offrecord.web.page.responses import PREFIX
from offrecord.web.page.routes import router

__all__ = ["PREFIX", "router"]
