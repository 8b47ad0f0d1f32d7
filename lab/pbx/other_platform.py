# SPDX-License-Identifier: Apache-2.0
"""The SIP server of the other platform: a relay on the PBX's trunk that adds a call's UUID.

Asterisk puts no header of its dialplan into an answer (measured on 22.10: `PJSIP_HEADER(add,…)`
is for requests alone). The trunk
therefore leads here, and each INVITE of the farm, and each answer to one, gets the header on its
way to the PBX, as from a Genesys SIP Server. Later requests of a call go directly between the two,
as each gives its own address as its contact.
"""

import asyncio
from typing import Self

HEADER = "X-Genesys-CallUUID"


class OtherPlatform(asyncio.DatagramProtocol):
    """Relays SIP between the PBX and the farm; open with `async with`.

    Calls that the farm makes carry `invite_uuid`, its answers `answer_uuid`; None adds no header.
    `named` counts the packets that got one.
    """

    def __init__(self, port: int, pbx_port: int, farm_port: int) -> None:
        self.invite_uuid: str | None = None
        self.answer_uuid: str | None = None
        self.named = 0
        self._port = port
        self._pbx = ("127.0.0.1", pbx_port)
        self._farm = ("127.0.0.1", farm_port)
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        """Listen; raises `OSError` when the port is taken."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", self._port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Relay one packet."""
        assert self._transport is not None
        if addr == self._farm:
            self._transport.sendto(self._name(data), self._pbx)
        else:
            self._transport.sendto(data, self._farm)

    def _name(self, data: bytes) -> bytes:
        """Return a packet of the farm, with the header if it is an INVITE or answers one."""
        first, *lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
        uuid = None
        if first.startswith(b"INVITE "):
            uuid = self.invite_uuid
        elif first.startswith((b"SIP/2.0 18", b"SIP/2.0 200")) and any(
            line.lower().startswith(b"cseq:") and line.endswith(b" INVITE") for line in lines
        ):
            uuid = self.answer_uuid
        if uuid is None:
            return data
        self.named += 1
        return data.replace(b"\r\n", f"\r\n{HEADER}: {uuid}\r\n".encode(), 1)
