# SPDX-License-Identifier: Apache-2.0
"""`offrecord simulate`: a vendor's server to try things against, with faults on demand."""

import asyncio
import dataclasses
import importlib
import json
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import click

from bridges.simulators import certificates
from bridges.simulators.faults import set_switch
from bridges.simulators.harness import Entry, Simulator
from bridges.simulators.server import NETWORK_FAULTS, SimServer
from offrecord.base.errors import Exit, UserError

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
    simulator = _simulator(kind, api_key)
    if listing:
        _list(simulator)
        return Exit.OK
    network = _prepare(simulator, faults, switches)
    with ExitStack() as stack:
        made = None
        if tls:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="offrecord-"))
            made = _issue(Path(folder), _names(host))
        server = SimServer(
            simulator, host=host, port=port, tls=made.server_context() if made else None
        )
        try:
            asyncio.run(_serve(kind, simulator, server, network, made))
        except OSError as error:
            raise UserError(
                f"cannot listen on {host} port {port}: {error.strerror}",
                "give another --host or --port",
                Exit.PORT_IN_USE,
            ) from None
    return Exit.OK


def _issue(folder: Path, names: tuple[str, ...]) -> certificates.Certificates:
    try:
        return certificates.issue(folder, names)
    except certificates.CertificatesUnavailable:
        raise UserError(
            "throw-away certificates need the package cryptography",
            "pip install 'offrecord[tls]', or do without --tls",
            Exit.USAGE,
        ) from None


def _names(host: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((host, "localhost", "127.0.0.1", "::1")))


def _simulator(kind: str, secret: str | None) -> Simulator:
    module, name = _KINDS[kind]
    made = getattr(importlib.import_module(module), name).ready(secret)
    assert isinstance(made, Simulator)
    return made


def _prepare(
    simulator: Simulator, faults: tuple[str, ...], switches: tuple[str, ...]
) -> str | None:
    """Set switches and faults; return the fault of the network, if one was given."""
    network = None
    for switch in switches:
        name, equals, value = switch.partition("=")
        if not equals:
            raise click.BadParameter(f"{switch!r} is not NAME=VALUE", param_hint="--switch")
        try:
            set_switch(simulator.switches, name, value)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--switch") from None
    for fault in faults:
        if fault in NETWORK_FAULTS:
            network = fault
            continue
        try:
            simulator.faults.add(fault)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--fault") from None
    return network


async def _serve(
    kind: str,
    simulator: Simulator,
    server: SimServer,
    network: str | None,
    made: certificates.Certificates | None,
) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    simulator.log.listen(_print_entry)
    async with server:
        if network == "refuse":
            await server.refuse()
        elif network == "silence":
            await server.silence()
        opening = {"simulator": kind, "url": server.url}
        if made is not None:
            opening["ca_file"] = str(made.ca_file)
        click.echo(json.dumps(opening))
        await ended.wait()


def _print_entry(entry: Entry) -> None:
    click.echo(json.dumps(entry.as_dict()))


def _list(simulator: Simulator) -> None:
    for item in dataclasses.fields(simulator.switches):
        value = getattr(simulator.switches, item.name)
        click.echo(f"switch {item.name}={_plain(value)}{_choices(item.type)}")
    for name, text in {**simulator.faults_known, **NETWORK_FAULTS}.items():
        click.echo(f"fault  {name}: {text}")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(kind: Any) -> str:
    choices = get_args(kind)
    return f" (one of {', '.join(map(str, choices))})" if choices else ""
