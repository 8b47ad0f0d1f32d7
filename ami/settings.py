# SPDX-License-Identifier: Apache-2.0
"""Settings of one AMI link: address, account, TLS, wanted events and timeouts."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AmiSettings:
    """Settings of one AMI link. All times are seconds. The repr leaves the secret out.

    Raises ValueError for values that cannot work.
    """

    username: str
    secret: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 5038

    tls: bool = False
    ca_file: Path | None = None
    """PEM file of the authority that signed the PBX's certificate; None: the system's own."""
    server_hostname: str | None = None
    """The name the certificate must carry; None: `host`."""
    allow_plain_tcp: bool = False
    """Send the secret unencrypted to another machine."""

    keypad: bool = False
    """Ask for DTMF events: codes are recognised from digits."""
    user_events: bool = False
    """Ask for UserEvents: a dialplan triggers presses by them."""
    extension_variable: bool = False
    """Ask for dialplan events, to learn extensions from a channel variable. Doubles the stream."""
    start_recordings: bool = False
    """The account is meant to start MixMonitors, so `system` is expected and not excessive."""

    whispers: bool = False
    """The account is meant to place calls that play tones, so `originate` is expected."""
    raises_events: bool = False
    """The account is meant to raise UserEvents, so `write = user` is expected."""

    connect_timeout: float = 5.0
    """Seconds for the connection with its TLS handshake, and again for the greeting and login.
    Asterisk answers a wrong secret after 1 s: with less than 2 s a refusal looks like silence."""
    action_timeout: float = 1.0
    """Seconds for the answer to an action. A healthy PBX gives it in less than a millisecond."""
    ping_interval: float = 5.0
    dead_after: float = 12.0
    """Seconds after which a dead connection is given up."""
    backoff_base: float = 0.2
    backoff_cap: float = 30.0
    stable_after: float = 5.0
    """Seconds a login must last before the next reconnect starts from `backoff_base` again."""

    queue_limit: int = 50_000
    """Events queued for the consumer; beyond it events are dropped and the calls listed again."""
    probe_timeout: float = 2.0
    """Seconds to wait after login for the events that a probe raises if the account may read them
    (the probe changes the device state Custom:offrecord-probe); 0 does not probe."""

    def __post_init__(self) -> None:
        """Raise ValueError for values that cannot work."""
        if not self.username or not self.secret or not self.host:
            raise ValueError("host, username and secret must not be empty")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not a TCP port")
        if not 0 < self.ping_interval < self.dead_after:
            raise ValueError("ping_interval must be above 0 and below dead_after")
        if not 0 < self.backoff_base <= self.backoff_cap:
            raise ValueError("backoff_base must be above 0 and not above backoff_cap")
        if self.connect_timeout <= 0 or self.action_timeout <= 0 or self.queue_limit < 1:
            raise ValueError("connect_timeout, action_timeout, queue_limit must be above 0")
        if not self.tls and (self.ca_file or self.server_hostname):
            raise ValueError("ca_file and server_hostname need tls")

    @property
    def address(self) -> str:
        """Host and port, as messages name the PBX: `host:port`, `[::1]:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def event_mask(self) -> str:
        """The event classes requested at login; a class the account lacks does no harm.

        `call` has the events of the call graph. `system` has FullyBooted and Shutdown, a handful
        a day.
        """
        wanted = {
            "system": True,
            "call": True,
            "dtmf": self.keypad,
            "user": self.user_events,
            "dialplan": self.extension_variable,
        }
        return ",".join(name for name, ask in wanted.items() if ask)


def is_loopback(host: str) -> bool | None:
    """Return whether an address is of this machine; None for a name, which must be resolved."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
