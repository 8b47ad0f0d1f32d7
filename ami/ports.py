# SPDX-License-Identifier: Apache-2.0
"""Protocols for what other code needs of one PBX: its live calls, actions, channel variables.

`ami.pbx.Pbx` is all of them. A function names the smallest one it needs, and a test may pass an
object with nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ami.calls.graph import CallGraph
from ami.events.types import Event
from ami.link.actions import Response


class HasGraph(Protocol):
    """A PBX whose live calls can be looked at."""

    @property
    def graph(self) -> CallGraph:
        """The live calls."""

    async def wait_known(self, timeout: float) -> bool:
        """Wait until the live calls are known; return False if not within `timeout` seconds."""


class Actions(Protocol):
    """A PBX that takes AMI actions. All of these raise AmiDown, AmiTimeout and AmiInjection."""

    @property
    def version(self) -> tuple[int, ...]:
        """Asterisk's version, such as (22, 10, 1); empty when not known."""

    async def action(
        self,
        name: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Response:
        """Send one action and return its answer, which may be an error: check `ok`.

        `timeout` is in seconds; None is the configured one.
        """

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        """Send an action that is answered by a list and return its rows. Raises AmiDenied."""


class Variables(Protocol):
    """A PBX whose channel variables can be read."""

    async def getvar(self, uniqueid: str, name: str) -> str:
        """Return a channel variable, empty when it is not set.

        Raises AmiDenied (`No such channel` once it has hung up), AmiDown, AmiTimeout.
        """


class Events(Protocol):
    """A PBX whose events can be followed."""

    def subscribe(self, callback: Callable[[Event, CallGraph], None]) -> Callable[[], None]:
        """Call `callback(event, graph)` for every event, in order, after it has been applied.

        Returns a function that unsubscribes.
        """


class CallActions(HasGraph, Actions, Protocol):
    """Live calls and actions."""


class CallVariables(HasGraph, Variables, Protocol):
    """Live calls and channel variables."""


class PbxPort(HasGraph, Actions, Variables, Events, Protocol):
    """Live calls, actions, channel variables and events."""
