# SPDX-License-Identifier: Apache-2.0
"""A PBX and SIP phones: two real Asterisks, one of them playing the phones, on loopback.

The PBX runs the shipped dialplan snippets unchanged. The second Asterisk, the farm, registers
phones 410 to 413; each plays a tone of its own and presses keys with RFC 4733 digits. The farm also
makes and answers the calls of the other platform on the PBX's trunk, through
`lab.pbx.other_platform`.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.patience import patience
from lab.pbx.asterisk import Asterisk
from lab.pbx.chroot import ensure
from lab.pbx.ports import free_tcp, free_udp
from lab.pbx.second_ami import Packet, SecondAmi

PHONES = ("410", "411", "412", "413")
TRUNK = "my-trunk"
FAR = "far-side"
"""The farm's endpoint for calls into the trunk from outside numbers."""
TONES = {"410": 440, "411": 1000, "412": 1700, "413": 2300, TRUNK: 700}
AMI_SECRET = "lab-offrecord"  # noqa: S105 - the laboratory's own account on loopback
ARI_SECRET = "lab-ari"  # noqa: S105 - same
_FOLDER = Path(__file__).parent


def examples() -> Path:
    """Return the folder of the shipped dialplan snippets."""
    return _FOLDER.parent / "dialplan-examples"


def example(name: str) -> str:
    """Return the text of one shipped snippet, or of a file of the laboratory's own."""
    own = _FOLDER / name
    return (own if own.is_file() else examples() / name).read_text()


@dataclass(slots=True)
class PbxWithPhones:
    """The two Asterisks of one laboratory.

    `release` is "22" (PJSIP), "16" (chan_sip) or "16-pjsip"; the farm is always 22. `fastagi` is
    the address that the PBX's dialplan sends presses to. `far_port` is the port that its trunk
    sends calls to: `OtherPlatform` listens there, see `LabSite`. `ari_port` is that of ARI; its
    users are `offrecord`, `reader` (read only) and `lab` (the site's own applications).
    """

    release: str
    pbx: Asterisk
    farm: Asterisk
    fastagi: str
    far_port: int
    ari_port: int

    @property
    def technology(self) -> str:
        """The channel technology of the PBX's phones."""
        return "SIP" if self.pbx.chan_sip else "PJSIP"

    def start(self) -> None:
        """Start both Asterisks and wait until every phone is registered."""
        self.pbx.start()
        self.farm.start()
        self.await_registered()

    def await_registered(self) -> None:
        """Wait until every phone is registered at the PBX; raises `TimeoutError`."""
        deadline = time.monotonic() + patience()
        shown = ""
        command = "sip show peers" if self.pbx.chan_sip else "pjsip show contacts"
        while time.monotonic() < deadline:
            shown = self.pbx.console(command)
            if all(_registered(shown, phone, sip=self.pbx.chan_sip) for phone in PHONES):
                return
            time.sleep(0.1)
        raise TimeoutError(f"phones did not register: {shown}")

    def restart_pbx(self) -> None:
        """Kill the PBX, start it again, and register every phone again."""
        self.pbx.restart()
        self.farm.console("pjsip send register *all")
        self.await_registered()

    def stop(self) -> None:
        """Stop both and remove their files."""
        self.farm.stop()
        self.pbx.stop()


def _registered(shown: str, phone: str, *, sip: bool) -> bool:
    start = f"{phone}/{phone}" if sip else f"{phone}/sip:"
    return any(
        start in line and "127.0.0.1" in line and "Unspecified" not in line
        for line in shown.splitlines()
    )


@contextmanager
def pbx_with_phones(
    release: str = "22", *, fastagi: str, features: str = "features.conf", label: str = "pbx"
) -> Iterator[PbxWithPhones]:
    """Start the two Asterisks, yield them, and stop them at the end.

    Raises `LabUnavailable` when no real Asterisk can be had.
    """
    made = build(release, fastagi=fastagi, features=features, label=label)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def build(release: str, *, fastagi: str, features: str, label: str) -> PbxWithPhones:
    """Prepare the two Asterisks without starting them."""
    quiet = lambda _text: None  # noqa: E731
    chroot = ensure(release.partition("-")[0], quiet)
    pbx = Asterisk(chroot, f"{label}-{release}", chan_sip=release == "16")
    pbx.environment["OFFRECORD_SOCKET"] = f"{pbx.inside}/offrecord.sock"
    farm = Asterisk(ensure("22", quiet), f"{label}-{release}-farm")
    far_port, ari_port = free_udp(), free_tcp()
    pbx.files.update(pbx_files(pbx, far_port, fastagi, features) | _ari_conf(ari_port))
    farm.files.update(farm_files(pbx, farm, far_port))
    return PbxWithPhones(release, pbx, farm, fastagi, far_port, ari_port)


def pbx_files(pbx: Asterisk, far_port: int, fastagi: str, features: str) -> dict[str, str]:
    """Return the PBX's configuration: the shipped snippets, and phones to use them."""
    snippet = "extensions-sip.conf" if pbx.chan_sip else "extensions-pjsip.conf"
    technology = "SIP" if pbx.chan_sip else "PJSIP"
    shipped = (
        "extensions-pjsip.conf", "extensions-sip.conf", "extensions-queue.conf",
        "extensions-genesys.conf", "queues-offrecord.conf", "manager-offrecord.conf",
    )  # fmt: skip
    files = {name: example(name) for name in shipped}
    files["features.conf"] = example(features)
    files["offrecord-secret.conf"] = f"secret = {AMI_SECRET}\n"
    files["manager.conf"] = pbx.manager_conf("#include manager-offrecord.conf\n")
    files["confbridge.conf"] = example("lab-confbridge.conf")
    files["res_parking.conf"] = (
        "[general]\n[default]\nparkext => 700\nparkpos => 701-720\ncontext => parkedcalls\n"
    )
    files["queues.conf"] = "[general]\n#include queues-offrecord.conf\n"
    files["extensions.conf"] = (
        f"[general]\n#include {snippet}\n#include extensions-queue.conf\n"
        "#include extensions-genesys.conf\n"
        f"[globals]\nOFFRECORD_AGI={fastagi}\nOFFRECORD_TECH={technology}\n"
        + (_FOLDER / "lab-extensions.conf")
        .read_text()
        .replace("@TECH@", technology)
        .replace("@OUT@", "offrecord-genesys-out" + ("-sip" if pbx.chan_sip else ""))
    )
    files |= _sip_conf(pbx, far_port) if pbx.chan_sip else _pjsip_conf(pbx, far_port)
    return files


def _ari_conf(port: int) -> dict[str, str]:
    users = "#include ari-offrecord.conf\n" + "".join(
        f"[{name}]\ntype=user\npassword={ARI_SECRET}\nread_only={read_only}\n"
        for name, read_only in (("reader", "yes"), ("lab", "no"))
    )
    return {
        "http.conf": f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={port}\n",
        "ari.conf": f"[general]\nenabled=yes\n{users}",
        "ari-offrecord.conf": example("ari-offrecord.conf"),
        "offrecord-ari-secret.conf": f"password = {ARI_SECRET}\n",
    }


def _pjsip_conf(pbx: Asterisk, far_port: int) -> dict[str, str]:
    text = (
        "[global]\ntype=global\nendpoint_identifier_order=username,auth_username,ip\n"
        f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{pbx.sip_port}\n"
    )
    for phone in PHONES:
        text += (
            f"[{phone}]\ntype=endpoint\ncontext=lab-phones\ndisallow=all\nallow=ulaw\n"
            f"dtmf_mode=rfc4733\ndirect_media=no\nauth={phone}\naors={phone}\n"
            f"callerid=Phone {phone} <{phone}>\n"
            f"[{phone}]\ntype=auth\nauth_type=userpass\nusername={phone}\npassword=lab-{phone}\n"
            f"[{phone}]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n"
        )
    text += (
        f"[{TRUNK}]\ntype=endpoint\ncontext=lab-trunk\ndisallow=all\nallow=ulaw\n"
        f"dtmf_mode=rfc4733\ndirect_media=no\ntrust_id_inbound=yes\naors={TRUNK}\n"
        f"[{TRUNK}]\ntype=aor\ncontact=sip:{TRUNK}@127.0.0.1:{far_port}\n"
    )
    return {"pjsip.conf": text}


def _sip_conf(pbx: Asterisk, far_port: int) -> dict[str, str]:
    text = (
        f"[general]\nudpbindaddr=127.0.0.1:{pbx.sip_port}\nallowguest=no\ncontext=none\n"
        "directmedia=no\ndtmfmode=rfc2833\nmaxexpiry=3600\n"
    )
    for phone in PHONES:
        text += (
            f"[{phone}]\ntype=friend\nhost=dynamic\nsecret=lab-{phone}\ncontext=lab-phones\n"
            f"disallow=all\nallow=ulaw\ncallerid=Phone {phone} <{phone}>\n"
        )
    text += (
        f"[{TRUNK}]\ntype=friend\nhost=127.0.0.1\nport={far_port}\ninsecure=invite,port\n"
        "trustrpid=yes\ncontext=lab-trunk\ndisallow=all\nallow=ulaw\n"
    )
    return {"sip.conf": text}


def farm_files(pbx: Asterisk, farm: Asterisk, far_port: int) -> dict[str, str]:
    """Return the farm's configuration: a registration and an outgoing line for each phone."""
    there = f"sip:127.0.0.1:{pbx.sip_port}"
    text = (
        "[global]\ntype=global\nendpoint_identifier_order=ip\n"
        f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{farm.sip_port}\n"
        "[pbx]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\ndtmf_mode=rfc4733\n"
        "direct_media=no\naors=pbx\n"
        f"[pbx]\ntype=aor\ncontact={there}\n[pbx]\ntype=identify\nendpoint=pbx\nmatch=127.0.0.1\n"
    )
    for phone in (*PHONES, TRUNK):
        auth = "" if phone == TRUNK else f"outbound_auth={phone}\n"
        text += (
            f"[as{phone}]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\n"
            f"dtmf_mode=rfc4733\ndirect_media=no\naors=pbx\nfrom_user={phone}\n{auth}"
        )
    text += (
        f"[{FAR}]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\n"
        f"dtmf_mode=rfc4733\ndirect_media=no\naors={FAR}\nfrom_user={TRUNK}\nsend_pai=yes\n"
        f"[{FAR}]\ntype=aor\ncontact=sip:127.0.0.1:{far_port}\n"
    )
    for phone in PHONES:
        text += (
            f"[{phone}]\ntype=auth\nauth_type=userpass\nusername={phone}\npassword=lab-{phone}\n"
            f"[register-{phone}]\ntype=registration\nserver_uri={there}\n"
            f"client_uri=sip:{phone}@127.0.0.1:{pbx.sip_port}\ncontact_user={phone}\n"
            f"outbound_auth={phone}\nexpiration=3600\nretry_interval=1\nmax_random_initial_delay=0\n"
        )
    people = "".join(
        f"exten => {phone},1,Answer()\n same => n,Playtones({hertz})\n same => n,Wait(120)\n"
        for phone, hertz in TONES.items()
    )
    outside = f"exten => _0X.,1,Goto({TRUNK},1)\n"
    return {
        "pjsip.conf": text,
        "extensions.conf": f"[general]\n[phones]\n{people}{outside}[callers]\n{people}",
    }


class People:
    """The people at the phones: calls, digits and hang-ups, made through the farm's AMI."""

    def __init__(self, farm: SecondAmi) -> None:
        self._farm = farm

    async def call(self, caller: str, dialled: str) -> str:
        """Dial from the phone `caller`; return its channel on the farm once it is answered."""
        return await self._call(f"as{caller}", dialled, caller, caller)

    async def call_in(self, dialled: str, *, number: str) -> str:
        """Call in over the trunk from the outside `number`; otherwise like `call`."""
        return await self._call(FAR, dialled, number, TRUNK)

    async def _call(self, line: str, dialled: str, number: str, person: str) -> str:
        since = len(self._farm.events)
        await self._farm.action(
            "Originate", Channel=f"PJSIP/{dialled}@{line}", Context="callers", Exten=person,
            Priority="1", Async="true", Timeout="20000", CallerID=f"<{number}>",
        )  # fmt: skip
        return await self._up(f"PJSIP/{line}-", since)

    async def _up(self, start: str, since: int) -> str:
        _, packet = await self._farm.wait_for(
            lambda p: p.get("Event") == "Newstate"
            and p.get("Channel", "").startswith(start)
            and p.get("ChannelStateDesc") == "Up",
            since=since,
        )  # fmt: skip
        return packet["Channel"]

    async def answered(self, since: int) -> str:
        """Return the farm's channel of the phone that has answered since event `since`."""
        return await self._up("PJSIP/pbx-", since)

    @property
    def now(self) -> int:
        """The number of farm events up to now, to be passed as `since`."""
        return len(self._farm.events)

    async def press(
        self, channel: str, digits: str, *, length: float = 0.12, gap: float = 0.1
    ) -> None:
        """Press keys on a phone: RFC 4733 digits of `length` seconds, `gap` seconds apart."""
        for digit in digits:
            await self._farm.action(
                "PlayDTMF", Channel=channel, Digit=digit, Duration=str(int(length * 1000))
            )
            await asyncio.sleep(length + gap)

    async def hang_up(self, channel: str) -> None:
        """Hang up one phone."""
        await self._farm.action("Hangup", Channel=channel)

    async def hang_up_all(self) -> None:
        """Hang up every phone and wait until the farm has no channel left."""
        await self._farm.action("Hangup", Channel="/.*/")
        async with asyncio.timeout(patience()):
            while await self._farm.channels():
                await asyncio.sleep(0.02)


def is_event(name: str, **fields: str) -> "EventIs":
    """Return a test for `SecondAmi.wait_for`: an event of this name with these values."""
    return EventIs(name, fields)


@dataclass(frozen=True, slots=True)
class EventIs:
    """A test for packets: one event name, and fields with the given values."""

    name: str
    fields: dict[str, str]

    def __call__(self, packet: Packet) -> bool:
        """Return whether a packet is such an event."""
        return packet.get("Event") == self.name and all(
            packet.get(key) == value for key, value in self.fields.items()
        )
