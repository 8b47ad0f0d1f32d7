# SPDX-License-Identifier: Apache-2.0
"""The daemon's HTTP address: the hooks of recorders, served to whoever their vendors are."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from bridges.model import Recorder
from bridges.simulators import certificates
from offrecord.base.tls import server_tls
from offrecord.web.server import HttpServer
from offrecord.web.vendor_callbacks import hooks
from tests.kits.hooked_recorder import Hooked
from tests.kits.waiting import safety_net


class Off:
    hook = None


class Plain:
    pass


@asynccontextmanager
async def served(recorders: Mapping[str, Any], **more: Any) -> AsyncIterator[HttpServer]:
    app = hooks(lambda: cast("Mapping[str, Recorder]", recorders))
    server = HttpServer(app, "127.0.0.1", 0, **more)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


def url(server: HttpServer, path: str, scheme: str = "http") -> str:
    host, port = server.address
    return f"{scheme}://{host}:{port}{path}"


async def test_a_vendor_reaches_the_hook_of_the_recorder_it_names() -> None:
    recorders: dict[str, Any] = {"cloud": Hooked("cloud"), "off": Off(), "plain": Plain()}
    async with served(recorders) as server, httpx.AsyncClient() as client:
        answer = await client.post(url(server, "/hooks/cloud/tok/en?a=1"), content=b"CallID=1.2")
        assert (answer.status_code, answer.text) == (200, "cloud POST /tok/en a=1 CallID=1.2")
        for path in ("/", "/hooks/", "/hooks/none/x", "/hooks/off/x", "/hooks/plain/x", "/other"):
            assert (await client.get(url(server, path))).status_code == 404


async def test_a_reload_changes_who_answers_and_not_the_socket() -> None:
    recorders: dict[str, Any] = {"cloud": Hooked("old")}
    async with served(recorders) as server, httpx.AsyncClient() as client:
        assert (await client.get(url(server, "/hooks/cloud/x"))).text == "old GET /x"
        recorders["cloud"] = Hooked("new")
        assert (await client.get(url(server, "/hooks/cloud/x"))).text == "new GET /x"


async def test_https_is_served_with_the_given_certificate(tmp_path: Path) -> None:
    made = certificates.issue(tmp_path, ("127.0.0.1",))
    tls = server_tls(made.cert_file, made.key_file)
    async with (
        served({"cloud": Hooked("cloud")}, tls=tls) as server,
        httpx.AsyncClient(verify=ssl.create_default_context(cafile=made.ca_file)) as client,
    ):
        assert (await client.get(url(server, "/hooks/cloud/x", "https"))).status_code == 200


async def test_a_taken_port_is_an_os_error_and_close_frees_the_port() -> None:
    async with served({}) as server:
        second = HttpServer(hooks(dict), *server.address)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await second.close()
    async with safety_net("a server on a port just left starts and ends"):
        third = HttpServer(hooks(dict), *server.address)
        await third.start()
        await third.close()


def test_files_that_are_no_certificate_are_named(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("rubbish")
    with pytest.raises(ValueError, match=r"cert\.pem and .*key\.pem"):
        server_tls(tmp_path / "cert.pem", tmp_path / "key.pem")
