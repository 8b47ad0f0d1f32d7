# SPDX-License-Identifier: Apache-2.0
"""`offrecord noojee` and `offrecord simulate`: what they print, and how they leave."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest

from bridges.simulators import certificates
from offrecord.base.errors import Exit
from offrecord.cli import main as command_line
from offrecord.cli.commands.tools.noojee_requests import KEY_VARIABLE
from offrecord.cli.main import cli
from tests.kits.noojee_kit import CALL, KEY, Fixture, fixture
from tests.kits.waiting import patience

VECTOR = "bc71b78c3e1914667fbaf65cabb9f2090c7f2231eb6df90562ada7678065dc76"
SIGN = ["noojee", "sign", "--timestamp", "1392356108888"]


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


async def run(*words: str) -> int:
    return await anyio.to_thread.run_sync(command_line.run, cli, list(words))


def verb(made: Fixture, name: str, *more: str) -> list[str]:
    return ["noojee", name, "--url", made.server.url, "--api-key", KEY, *more]


def test_sign_prints_the_vector(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run(cli, [*SIGN, "--api-key", KEY]) == Exit.OK
    assert capsys.readouterr().out == f"{VECTOR}\n"


def test_the_key_may_come_from_the_environment_or_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    assert command_line.run(cli, [*SIGN, "--api-key-file", str(file), "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == {"timeStamp": "1392356108888", "hash": VECTOR}
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert command_line.run(cli, SIGN) == Exit.OK
    assert capsys.readouterr().out == f"{VECTOR}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SIGN, KEY_VARIABLE),
        ([*SIGN, "--api-key", KEY, "--api-key-file", "x"], "either --api-key or"),
        ([*SIGN, "--api-key-file", "/nowhere/key"], "/nowhere/key"),
        ([*SIGN, "--api-key", f"{KEY} "], "spaces"),
        (["noojee", "sign", "--timestamp", "1.5", "--api-key", KEY], "digits"),
        (["noojee", "stop", "--url", "https://x.invalid", "--api-key", KEY], "--agent"),
        (
            ["noojee", "stop", "--url", "https://x.invalid", "--api-key", KEY, "--agent", "F"],
            "--unique-id or --extension",
        ),
        (
            ["noojee", "start", "--url", "https://x.invalid", "--extension", "SIP/410"],
            "give 410 rather than SIP/410",
        ),
        (["noojee", "time", "--url", "http://x.invalid"], "in the clear"),
        (["noojee", "time", "--url", "https://x.invalid", "--ca-file", "/nowhere"], "/nowhere"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run(cli, words) == Exit.USAGE
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert KEY not in error


async def test_time_prints_the_servers_time(capsys: pytest.CaptureFixture[str]) -> None:
    async with fixture() as made:
        assert await run("noojee", "time", "--url", made.server.url) == Exit.OK
        assert capsys.readouterr().out == "1392356108888\n"
        assert await run("noojee", "time", "--url", made.server.url, "--json") == Exit.OK
        assert json.loads(capsys.readouterr().out)["time"] == "1392356108888"


@pytest.mark.parametrize("auth", ["signed", "api-key"])
async def test_an_accepted_stop_leaves_with_accepted(
    auth: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fixture() as made:
        words = verb(made, "stop", "--unique-id", str(CALL), "--agent", "Fred", "--auth", auth)
        assert await run(*words) == Exit.ACCEPTED
        assert capsys.readouterr().out.startswith("stop 12347811.214: accepted (HTTP 200, Code 0")
        assert made.call.recording is None
        assert made.asked("stop")[0].facts["scheme"] == auth.replace("-", "_")


async def test_a_start_carries_tag_and_owner_and_json_shows_the_requests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with fixture() as made:
        words = verb(made, "start", "--extension", "410", "--agent", "Fred", "--tag", "a b")
        assert await run(*words, "--json") == Exit.ACCEPTED
        body = json.loads(capsys.readouterr().out)
        assert (body["outcome"], body["code"], body["target"]) == ("accepted", 0, "410")
        assert "tag=a%20b&apiKey=***" in body["exchanges"][0]["request"]
        assert KEY not in json.dumps(body)


async def test_a_positive_code_leaves_with_failed() -> None:
    async with fixture(success_code=2, stop_profile="v1") as made:
        words = verb(made, "stop", "--extension", "410", "--without-agent")
        assert await run(*words) == Exit.FAILED


async def test_each_way_to_fail_has_its_own_exit_and_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def leaves(made: Fixture, *more: str) -> tuple[int, str]:
        words = verb(made, "stop", "--extension", "410", "--agent", "Mallory", *more)
        code = await run(*words)
        return code, capsys.readouterr().err

    async with fixture() as made:
        code, refused = await leaves(made)
        assert code == Exit.RECORDER_REFUSED
        assert "SIM: this agent may not stop" in refused
        made.sim.faults.add("stall@stop")
        code, late = await leaves(made, "--timeout", "0.1")
        assert code == Exit.RECORDER_UNREACHABLE
        await made.server.refuse()
        code, gone = await leaves(made)
        assert code == Exit.RECORDER_UNREACHABLE
        assert "Connection refused" in gone
    tls = certificates.issue(tmp_path).server_context()
    async with fixture(tls=tls) as made:
        code, untrusted = await leaves(made)
        assert code == Exit.RECORDER_UNTRUSTED
        assert "CA file" in untrusted
    for line in (refused, late, gone, untrusted):
        assert line.startswith("offrecord: stop: ")
        assert line.count("\n") == 1
        assert KEY not in line


async def test_a_failure_has_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    async with fixture() as made:
        made.sim.faults.add("html_200@stop")
        words = verb(made, "stop", "--extension", "410", "--agent", "Fred", "--json")
        assert await run(*words) == Exit.RECORDER_REFUSED
        body = json.loads(capsys.readouterr().out)
        assert (body["outcome"], body["kind"], body["maybe_done"]) == ("failed", "junk", True)


@dataclass
class Simulated:
    """What `offrecord simulate` printed: at first, and by its end."""

    opening: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    left_with: int | None = None


@contextmanager
def simulated(*words: str) -> Iterator[Simulated]:
    process = subprocess.Popen(
        [sys.executable, "-m", "offrecord", "simulate", "noojee", *words],
        cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    one = Simulated(json.loads(process.stdout.readline()))
    try:
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=patience())
    one.lines = [json.loads(line) for line in printed.splitlines()]
    one.left_with = process.returncode


def test_simulate_prints_each_request_and_its_controls_change_it_while_it_runs() -> None:
    with simulated("--fault", "status=503@stop*1", "--switch", "success_code=1") as one:
        url = one.opening["url"]
        stop = f"{url}/servicemanager/rest/CallManagementAPI/stop"
        query = {"extenOrUniqueId": "410", "agentLoginName": "Fred", "apiKey": KEY}
        with httpx.Client(trust_env=False) as http:
            assert http.post(stop, params=query).status_code == 503
            assert http.post(stop, params=query).json()["Code"] == 1
            assert http.post(f"{url}/_sim/switches", json={"success_code": 0}).status_code == 200
            assert http.post(f"{url}/_sim/switches", json={"succes_code": 0}).status_code == 400
            assert http.post(f"{url}/_sim/faults", content="expired@stop").status_code == 200
            assert http.post(f"{url}/_sim/faults", content="expire").status_code == 400
            assert http.post(stop, params=query).json()["Message"] == "Expired TimeStamp"
            assert http.delete(f"{url}/_sim/faults").json() == []
            before = http.post(f"{url}/_sim/clock", json={"advance": 0}).json()["now"]
            assert http.post(f"{url}/_sim/clock", json={"advance": 60}).json()["now"] > before + 59
            call = {"channel": "PJSIP/499-00000001", "unique_id": "1700.9"}
            assert len(http.post(f"{url}/_sim/calls", json=call).json()) == 2
            assert http.delete(f"{url}/_sim/calls/1700.9").json()["recording"] is False
            assert http.delete(f"{url}/_sim/calls/1700.9").status_code == 404
            assert http.post(f"{url}/_sim/users", json={"name": "Zoe"}).json() == ["Zoe"]
            assert len(http.get(f"{url}/_sim/log").json()) == 3
            assert http.delete(f"{url}/_sim/log").json() == []
    assert one.left_with == 0
    assert [(line["operation"], line["status"]) for line in one.lines] == [
        ("stop", 503), ("stop", 200), ("stop", 200)
    ]  # fmt: skip
    assert KEY not in json.dumps(one.lines)


def test_simulate_takes_a_key_of_ones_own() -> None:
    with simulated("--api-key", "another-key") as one, httpx.Client(trust_env=False) as http:
        url = f"{one.opening['url']}/servicemanager/rest/CallManagementAPI/start"
        for key, code in (("another-key", 0), (KEY, -1)):
            answer = http.post(url, params={"extenOrUniqueId": "1.2", "apiKey": key})
            assert answer.json()["Code"] == code


@pytest.mark.parametrize("fault", ["refuse", "silence"])
def test_simulate_can_break_the_network(fault: str) -> None:
    error = httpx.ConnectError if fault == "refuse" else httpx.TimeoutException
    with simulated("--fault", fault) as one, pytest.raises(error):
        # Only silence is a matter of time: a refusal comes by itself.
        httpx.post(
            one.opening["url"], timeout=patience() if fault == "refuse" else 0.3, trust_env=False
        )
    assert one.lines == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fault", "stal"], "did you mean 'stall'"),
        (["--switch", "auto"], "NAME=VALUE"),
        (["--switch", "aut=true"], "did you mean 'auto'"),
    ],
)
def test_simulate_refuses_what_it_does_not_know(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run(cli, ["simulate", "noojee", *words]) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_simulate_says_that_its_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert (
            command_line.run(cli, ["simulate", "noojee", "--port", str(port)]) == Exit.PORT_IN_USE
        )
    assert str(port) in capsys.readouterr().err
