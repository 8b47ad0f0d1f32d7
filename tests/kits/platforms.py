# SPDX-License-Identifier: Apache-2.0
"""The three other platforms of a call that crosses a trunk, each with a live, recorded call.

The phone 410 belongs to fred, whose phone is also the Genesys DN 410 and the VoipNow extension
0003*410. The far end of the trunk is a Cisco line that Imagicle records.
"""

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bridges.simulators.certificates import Certificates
from bridges.simulators.genesys.app import GenesysSimulator
from bridges.simulators.genesys.switches import GenesysSwitches
from bridges.simulators.harness import Entry, Simulator
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER, ImagicleSimulator
from bridges.simulators.imagicle.switches import ImagicleSwitches
from bridges.simulators.server import SimServer
from bridges.simulators.voipnow.app import DEMO_ID, DEMO_SECRET, VoipNowSimulator
from lab.pbx_with_phones import TRUNK
from lab.site import OUTSIDE

UUID = "01RCC3N118B1V0SL8O7GK2LAES00000V"
GENESYS_PASSWORD = "yabba-dabba-doo"
KINDS = ("voipnow", "imagicle", "genesys")
COMMANDS = frozenset({"stop", "stop_line", "pause", "pause_line"})


class Platforms:
    """The simulators of the three, and the configuration that makes them recorders of the trunk.

    `folder` is for secrets. With a `certificate` they all speak HTTPS.
    """

    def __init__(self, folder: Path, certificate: Certificates | None = None) -> None:
        self.voipnow = VoipNowSimulator()
        self.imagicle = ImagicleSimulator(switches=ImagicleSwitches(profile="2025"))
        self.genesys = GenesysSimulator(switches=GenesysSwitches())
        self.servers = {
            kind: SimServer(
                self.of(kind), tls=certificate.server_context() if certificate else None
            )
            for kind in KINDS
        }
        self._ca_file = certificate.ca_file if certificate else None
        self._folder = folder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the three."""
        for server in self.servers.values():
            await self._stack.enter_async_context(server)
        self.voipnow.site.add_extension("0003*410")
        self.imagicle.state.add_account(DEMO_USER, DEMO_PASSWORD)
        self.imagicle.state.add_line(OUTSIDE, "SEP123456789ABC")
        self.fred = self.genesys.centre.add_agent("fred", GENESYS_PASSWORD, "410")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop them."""
        await self._stack.aclose()

    def of(self, kind: str) -> Simulator:
        made = getattr(self, kind)
        assert isinstance(made, Simulator)
        return made

    def record(self) -> None:
        """Begin, on every platform, the recorded call that `talk_out` is about to make."""
        self.on_voipnow = self.voipnow.site.add_call("0003*410", remote=OUTSIDE)
        self.on_imagicle = self.imagicle.state.record(OUTSIDE, "410")
        self.on_genesys = self.genesys.centre.add_call(self.fred, OUTSIDE, uuid=UUID)

    def recorded(self) -> set[str]:
        """Return the platforms that, by their own state, record sound of the call now."""
        states = {
            "voipnow": bool(self.on_voipnow.recorded(self.voipnow.clock.now())),
            "imagicle": self.on_imagicle.stopped is None and not self.on_imagicle.paused,
            "genesys": self.on_genesys.recording == "Recording",
        }
        return {kind for kind, recorded in states.items() if recorded}

    def commands(self, kind: str) -> list[Entry]:
        """Return the stops and pauses that a platform saw."""
        return [entry for entry in self.of(kind).log.entries if entry.operation in COMMANDS]

    def more(self, *recorders: str, **options: dict[str, Any]) -> dict[str, Any]:
        """Return the configuration in which the trunk's calls are held by these recorders."""
        tables: dict[str, dict[str, Any]] = {
            "voipnow": {
                "client_id": DEMO_ID,
                "client_secret": self.secret("voipnow", DEMO_SECRET),
                "client_prefix": "0003",
            },
            "imagicle": {
                "username": DEMO_USER,
                "password": self.secret("imagicle", DEMO_PASSWORD),
                "whose": "far",
            },
            "genesys": {
                "accounts": {
                    "fred": {
                        "username": "fred",
                        "password": self.secret("genesys", GENESYS_PASSWORD),
                    }
                }
            },
        }
        for kind, table in tables.items():
            table |= {"kind": kind, "url": self.servers[kind].url, **options.get(kind, {})}
            if self._ca_file is not None:
                table.setdefault("ca_file", str(self._ca_file))
        rule = {"trunk": TRUNK, "recorders": list(recorders)}
        return {"recorders": tables, "routes": {"default": ["local"], "rule": [rule]}}

    def secret(self, name: str, value: str) -> dict[str, str]:
        path = self._folder / f"{name}.secret"
        path.write_text(value + "\n")
        path.chmod(0o600)
        return {"file": str(path)}
