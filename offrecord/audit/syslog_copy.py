# SPDX-License-Identifier: Apache-2.0
"""Sends a copy of every record to syslog in a thread of its own, once the disk has the record.

Each message is an RFC 5424 line with the record as JSON, as in the export. It goes to a Unix socket
by datagrams, or to another host over TCP, each line after its length (RFC 6587, 3.4.1), or over UDP
(RFC 5426). The journal never waits: records that do not fit into the queue or cannot be sent are
missing from the copy, counted and logged. Lost UDP datagrams are not noticed.
"""

import contextlib
import json
import logging
import os
import queue
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from offrecord.audit.export import line
from offrecord.audit.press_history import iso
from offrecord.config.sections.journal import Place
from offrecord.journal.hash_chain import Link
from offrecord.journal.reader import StoredRecord

QUEUE: Final = 10_000
"""The most records that wait for syslog."""

_NOTICE: Final = 13 * 8 + 5
"""Facility "log audit" and severity "notice": RFC 5424, 6.2.1."""

_log = logging.getLogger(__name__)


def message(link: Link, host: str, process: int) -> bytes:
    """Return one record as an RFC 5424 line."""
    record = StoredRecord(
        link.seq, link.press, link.at, link.kind, json.loads(link.body), link.utc_offset,
        link.prev, link.hash,
    )  # fmt: skip
    text = json.dumps(line(record), ensure_ascii=False, separators=(",", ":"))
    kind = re.sub(r"[^!-~]", "_", link.kind)[:32] or "-"
    head = f"<{_NOTICE}>1 {iso(link.at)} {host} offrecord {process} {kind} - "
    # The byte order mark declares the text as UTF-8: RFC 5424, 6.4.
    return head.encode() + b"\xef\xbb\xbf" + text.encode("utf-8", "backslashreplace")


class Syslog:
    """Sends a copy of each record. `put` is called by the journal's writer and never blocks.

    where: the address of the syslog server.
    patience: seconds that the server has to take one line, and seconds to wait after a failure.
    room: the most records that wait.

    `sent` and `lost` count the records that were sent, and those missing from the copy.
    """

    def __init__(self, where: Place, *, patience: float = 5.0, room: int = QUEUE) -> None:
        self._where = where
        self._patience = patience
        self._queue: queue.Queue[Link | None] = queue.Queue(room)
        self._socket: socket.socket | None = None
        self._host = re.sub(r"[^!-~]", "_", socket.gethostname())[:255] or "-"
        self._closing = threading.Event()
        self._count = threading.Lock()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="syslog", daemon=True)
        self.lost = 0
        self.sent = 0

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def put(self, links: Sequence[Link]) -> None:
        """Queue records; those that do not fit are missing from the copy."""
        for number, link in enumerate(links):
            try:
                self._queue.put_nowait(link)
            except queue.Full:
                self._lose(len(links) - number, "it takes them too slowly")
                return

    def close(self, timeout: float = 2.0) -> int:
        """Send the queued records and stop; return how many are missing from the copy in all."""
        self._closing.set()
        with contextlib.suppress(queue.Full):  # the thread checks the flag after each record
            self._queue.put_nowait(None)
        self._thread.join(timeout)
        left = [link for link in self._left() if link is not None]
        if left:
            self._lose(len(left), "the daemon ends")
        return self.lost

    def _left(self) -> Iterator[Link | None]:
        while True:
            try:
                yield self._queue.get_nowait()
            except queue.Empty:
                return

    def _run(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            link = self._queue.get()
            if link is None:
                break
            try:
                self._send(message(link, self._host, os.getpid()))
            except (OSError, ValueError) as error:
                self._drop()
                self._lose(1, str(error))
                self._closing.wait(self._patience if self._queue.qsize() < QUEUE // 2 else 0)
                if self._closing.is_set():
                    break
            else:
                self.sent += 1
                self._back()
        self._drop()

    def _send(self, raw: bytes) -> None:
        if self._where.way == "tcp":
            raw = b"%d %b" % (len(raw), raw)
        if self._socket is None:
            self._socket = self._connect()
        self._socket.sendall(raw)

    def _connect(self) -> socket.socket:
        where = self._where
        if where.way == "tcp":
            return socket.create_connection((where.host, where.port), self._patience)
        if where.way == "unix":
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            address: str | tuple[str, int] = where.host
        else:
            family = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family[0], socket.SOCK_DGRAM)
            address = (where.host, where.port)
        made.settimeout(self._patience)
        try:
            made.connect(address)
        except OSError:
            made.close()
            raise
        return made

    def _drop(self) -> None:
        gone, self._socket = self._socket, None
        if gone is not None:
            gone.close()

    def _lose(self, count: int, why: str) -> None:
        with self._count:
            self.lost += count
            new, self._away = not self._away, True
        if new:
            _log.error("records do not reach syslog: %s", why)

    def _back(self) -> None:
        with self._count:
            back, self._away = self._away, False
        if back:
            _log.warning("records reach syslog again; %d were lost to it so far", self.lost)
