# SPDX-License-Identifier: Apache-2.0
"""One AMI connection: panoramisk's protocol with its own reading, sending and closing.

panoramisk keeps the table of pending actions and decides, by `Action.add_message`, when one is
answered. This subclass splits the stream into packets and decodes each in one piece, passes wanted
events on once per read and in order, and fails pending actions when the connection is lost:
nothing is ever queued for a later connection.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from ami.errors import AmiDown, AmiError, AmiUnreachable
from ami.events.headers import headers
from ami.events.packet_to_event import decode
from ami.events.types import Event
from ami.link.actions import response

log = logging.getLogger(__name__)

GREETING: Final = b"Asterisk Call Manager/"
MAX_GREETING: Final = 256
MAX_PACKET: Final = 4 * 1024 * 1024
"""Bytes without an empty line after which the peer is no AMI and the connection is aborted."""
MAX_UNSENT: Final = 1024 * 1024
"""Unsent bytes above which the PBX does not read any more, and actions are refused."""

_END = b"\r\n\r\n"
_EVENT = b"Event: "
_USER_EVENT = b"Event: UserEvent\r\n"
_ACTION_ID = b"\r\nActionID: "


class Owner(Protocol):
    """Callbacks of a connection. None of these may raise or block.

    `packet_listeners` are called with `<` and each packet as it was received.
    """

    packet_listeners: list[Callable[[str, bytes], None]]

    def take(self, events: list[Event]) -> None:
        """Process the wanted events of one read, in order."""

    def gap(self, reason: str) -> None:
        """React to at least one event that was lost."""

    def lost(self, protocol: "AmiProtocol", reason: AmiDown) -> None:
        """React to the loss of this connection."""


class PendingAction(Action):  # type: ignore[misc]
    """An action that waits for its answer.

    Holds its name and id and none of its values: no repr can show a secret. The caller says whether
    the answer is a list; it is never guessed from the text of the first answer.
    """

    def __init__(self, name: str, action_id: str, *, as_list: bool) -> None:
        super().__init__({"Action": name, "ActionID": action_id}, as_list=as_list)

    def add_message(self, message: Message) -> bool:
        """Add one packet of the answer; return True when it was the last."""
        self.responses.append(message.pairs)
        if self.as_list and not _ends_list(message):
            return False
        if not self.future.done():
            self.future.set_result(self.responses)
        return True


def _ends_list(message: Message) -> bool:
    """Return whether a packet ends a list: its closing event, or a refusal instead of a list."""
    if "Event" in message:
        return message.get("EventList", "").lower() in {"complete", "cancelled"} or message[
            "Event"
        ].endswith("Complete")
    return not response(message.pairs).ok


class AmiProtocol(AMIProtocol):  # type: ignore[misc]
    """See the module. `greeted` is done after Asterisk's greeting, `gone` after the connection."""

    def __init__(self, owner: Owner) -> None:
        loop = asyncio.get_running_loop()
        self.owner = owner
        self.responses: dict[str, PendingAction] = {}
        self.version: str | None = None
        self.greeted: asyncio.Future[str] = loop.create_future()
        self.gone: asyncio.Future[AmiDown] = loop.create_future()
        self._buffer = b""
        self._plain = True  # neither a list nor a watch waits for an event
        self._lists: set[bytes] = set()
        self._watches: list[tuple[bytes, bytes, asyncio.Future[None]]] = []
        self._reason: AmiError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up panoramisk's own fields, but keep the table `responses`."""
        table = self.responses
        super().connection_made(transport)
        self.responses = table

    # reading

    def data_received(self, data: bytes) -> None:
        """Process the bytes of one read, which may be cut anywhere."""
        data = self._buffer + data if self._buffer else data
        if self.version is None:
            data = self._greet(data)
        *packets, self._buffer = data.split(_END)
        if len(self._buffer) > MAX_PACKET:
            self.abort(_not_ami("it sent megabytes without an end"))
            return
        for listener in self.owner.packet_listeners:
            for packet in packets:
                listener("<", packet)
        events: list[Event] = []
        for packet in packets:
            try:
                if packet.startswith(_EVENT) and (self._plain or self._is_event(packet)):
                    event = decode(packet)
                else:
                    event = self._answer(packet, events)
            except Exception:
                log.exception("AMI packet not understood, name=%r", packet[:40])
                self.owner.gap("a packet could not be decoded")
                continue
            if event is not None:
                events.append(event)
        self._hand_on(events)

    def _is_event(self, packet: bytes) -> bool:
        """Return whether a packet is an event for the sink, and not the row of a pending list."""
        if self._lists and _listed(packet) in self._lists:
            return False
        for head, needle, future in self._watches:
            if packet.startswith(head) and needle in packet and not future.done():
                future.set_result(None)
        return True

    def _answer(self, packet: bytes, events: list[Event]) -> Event | None:
        """Pass an answer to its pending action, after the events that came before it."""
        packet = packet.strip(b"\r\n")
        if not packet:
            return None
        if packet.startswith(_EVENT) and self._is_event(packet):
            return decode(packet)  # an extra empty line was before it
        pairs = headers(packet)
        message = Message(dict(reversed(pairs)))
        message.pairs = pairs
        if message.id in self.responses:
            self._hand_on(events.copy())
            events.clear()
            self.handle_message(message)
        return None

    def _hand_on(self, events: list[Event]) -> None:
        if not events:
            return
        try:
            self.owner.take(events)
        except Exception:
            log.exception("AMI events could not be taken, count=%d", len(events))
            self.owner.gap("events could not be taken")

    def _greet(self, data: bytes) -> bytes:
        """Return the bytes after Asterisk's greeting, or all while the greeting is incomplete."""
        line, end, rest = data.partition(b"\r\n")
        if not line.startswith(GREETING[: len(line)]) or len(line) > MAX_GREETING:
            self.abort(_not_ami(f"it greets with {_printable(line)}"))
            return b""
        if not end:
            return data
        self.version = line[len(GREETING) :].decode("ascii", "replace").strip()
        if not self.greeted.done():
            self.greeted.set_result(self.version)
        return rest

    # sending

    def submit(self, action: PendingAction, packet: bytes) -> None:
        """Send an encoded action and add it to the table of pending ones.

        Raises AmiDown when the connection is closing or the PBX does not read: then nothing was
        sent.
        """
        if self._reason is not None or self.gone.done() or self.transport.is_closing():
            raise down("the link to the PBX is down")
        if self.transport.get_write_buffer_size() > MAX_UNSENT:
            raise down("the PBX takes nothing in")
        self.responses[action.id] = action
        if action.as_list:
            self._lists.add(action.id.encode())
            self._plain = False
        self.transport.write(packet)

    def forget(self, action: PendingAction) -> None:
        """Remove an action from the table, answered or not; a late answer is then dropped."""
        self.responses.pop(action.id, None)
        self._lists.discard(action.id.encode())
        self._plain = not self._lists and not self._watches

    def watch(self, event: str, needle: str) -> asyncio.Future[None]:
        """Return a future that is done when an event of this name contains `needle`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (f"Event: {event}\r\n".encode(), needle.encode(), future)
        self._watches.append(entry)
        self._plain = False
        future.add_done_callback(lambda _: self._unwatch(entry))
        return future

    def _unwatch(self, entry: tuple[bytes, bytes, asyncio.Future[None]]) -> None:
        self._watches.remove(entry)
        self._plain = not self._lists and not self._watches

    # the end

    def abort(self, reason: AmiError) -> None:
        """Close the connection at once and drop unsent bytes."""
        if self._reason is None:
            self._reason = reason
        self.closed = True
        self.transport.abort()

    def close(self) -> None:
        """Close at once; nothing is kept for a later connection."""
        self.abort(down("the link was closed"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all pending actions and call `owner.lost`."""
        if self.gone.done():
            return
        self.closed = True
        reason = self._reason or down(f"the PBX closed the link ({exc or 'end of stream'})")
        if not self.greeted.done():
            self.greeted.set_exception(
                reason
                if self._reason is not None
                else _not_ami("it closed the connection without a greeting")
            )
            self.greeted.exception()  # marks it as retrieved: there may be no waiter
        end = reason if isinstance(reason, AmiDown) else down(reason.message)
        for action in list(self.responses.values()):
            if not action.future.done():
                action.future.set_exception(down(end.message, sent=True))
            self.forget(action)
        for _, _, future in list(self._watches):
            future.cancel()
        self.gone.set_result(end)
        self.owner.lost(self, end)


def _listed(packet: bytes) -> bytes | None:
    """Return the id of the action an event answers; never for a UserEvent, whose text is free."""
    at = packet.find(_ACTION_ID)
    if at < 0 or packet.startswith(_USER_EVENT):
        return None
    return packet[at + len(_ACTION_ID) :].partition(b"\r\n")[0]


def down(message: str, *, sent: bool = False) -> AmiDown:
    """Return the error for a link that is down. `sent`: the action had been sent already."""
    return AmiDown(message, fix="the link comes back by itself once Asterisk answers", sent=sent)


def _not_ami(what: str) -> AmiUnreachable:
    return AmiUnreachable(
        f"what listens there is no Asterisk manager interface: {what}",
        fix="check host and port against manager.conf, and tls against tlsenable",
        code="ami.not_ami",
    )


def _printable(line: bytes) -> str:
    return repr(line[:40].decode("ascii", "replace"))
