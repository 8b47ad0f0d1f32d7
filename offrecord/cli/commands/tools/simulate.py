# SPDX-License-Identifier: Apache-2.0
"""`offrecord simulate`: a vendor's server to try things against, with faults on demand."""

import click

from offrecord.base.errors import Exit

# Kind to module and class, imported when asked for.
_KINDS = {
    "genesys": ("bridges.simulators.genesys.app", "GenesysSimulator"),
    "imagicle": ("bridges.simulators.imagicle.app", "ImagicleSimulator"),
    "noojee": ("bridges.simulators.noojee.app", "NoojeeSimulator"),
    "voipnow": ("bridges.simulators.voipnow.app", "VoipNowSimulator"),
}


@click.command()
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--fault", "faults", multiple=True, metavar="KIND[=NUMBER][@OPERATION][*TIMES]",
    help="What is to go wrong, such as stall=11@stop*1. May be given several times.",
)  # fmt: skip
@click.option(
    "--switch", "switches", multiple=True, metavar="NAME=VALUE",
    help="How the server is to behave where its documents leave it open.",
)  # fmt: skip
@click.option("--api-key", help="The key or password it takes instead of its own.")
@click.option("--tls", is_flag=True, help="Speak TLS with a throw-away certificate.")
@click.option("--list", "listing", is_flag=True, help="List switches and faults, and leave.")
def simulate(
    *,
    kind: str,
    host: str,
    port: int,
    faults: tuple[str, ...],
    switches: tuple[str, ...],
    api_key: str | None,
    tls: bool,
    listing: bool,
) -> Exit:
    """Play the server of a vendor until interrupted.

    Prints JSON lines: first its address, then every request, secrets masked. Faults, switches,
    clock and calls can be changed while it runs, under /_sim/ of the same address.
    """
    from offrecord.cli.commands.tools.simulate_server import serve, show_choices, simulator_of

    simulator = simulator_of(*_KINDS[kind], api_key)
    if listing:
        show_choices(simulator)
    else:
        serve(kind, simulator, host, port, faults=faults, switches=switches, tls=tls)
    return Exit.OK
