# SPDX-License-Identifier: Apache-2.0
"""The work of `offrecord simulate`: build a simulator, set its faults, serve it."""

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


def serve(
    kind: str, simulator: Simulator, host: str, port: int, *,
    faults: tuple[str, ...], switches: tuple[str, ...], tls: bool,
) -> None:  # fmt: skip
    """Serve a simulator until interrupted, and print its address and every request as JSON lines.

    Raises `UserError` when the address is taken, and `click.BadParameter` for a fault or switch
    that the simulator does not know.
    """
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


def simulator_of(module: str, name: str, secret: str | None) -> Simulator:
    """Return the simulator of a class; `secret` is the key that it takes instead of its own."""
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


def show_choices(simulator: Simulator) -> None:
    """Print the switches and faults that a simulator knows."""
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
