# SPDX-License-Identifier: Apache-2.0
"""One request of a command to the running daemon; an error of the daemon ends the command."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offrecord.base.errors import Exit, UserError
from offrecord.control import client

_TIMEOUT = 15.0
"""Seconds to wait for the verdict of a press: more than its budget and any wait before it."""


def ask(socket_path: Path, request: Mapping[str, object]) -> list[dict[str, Any]]:
    """Send a request and return the replies. Raises `UserError` for a reply that is an error."""
    replies = list(client.ask(socket_path, request, _TIMEOUT))
    for reply in replies:
        if "error" in reply:
            code = Exit(reply.get("exit", Exit.FAILED))
            raise UserError(str(reply["error"]), str(reply.get("fix", "")), code)
    return replies
