# SPDX-License-Identifier: Apache-2.0
"""Health and metrics: what they say is so, what they count happened, as Prometheus reads it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ami.link.supervisor import LinkState
from bridges.model import Evidence, Order, Outcome, RecorderResult
from offrecord.journal import JournalError
from offrecord.journal.journal import Record
from offrecord.status.metrics import METRICS, _Process
from tests.kits.api_kit import Api, api
from tests.kits.enforcement_kit import record
from tests.kits.lifecycle_kit import FakeRecorder, result

Sample = tuple[str, frozenset[tuple[str, str]]]


async def figures(here: Api) -> dict[Sample, float]:
    answer = await here.get("/metrics", "prometheus")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(samples: dict[Sample, float], name: str, **labels: str) -> float | None:
    return samples.get((f"offrecord_{name}", frozenset(labels.items())))


async def test_every_metric_is_there_and_every_one_there_is_in_the_list(tmp_path: Path) -> None:
    cloud = FakeRecorder("cloud", Outcome.FAILED, Evidence.SENT)
    async with api(tmp_path, cloud) as here:
        await here.press()
        await here.kept.bench.written()
        for kind, body in (
            ("closed", {"outcome": "failed", "why": "call_ended", "exposed_ms": {"cloud": 1500}}),
            ("alarm", {"what": "retry"}),
        ):
            here.metrics.on_record(Record("p", kind, body, 0))
        await here.get("/v1/calls", None)
        text = (await here.get("/metrics", "prometheus")).text
        families = {one.name: one for one in text_string_to_metric_families(text)}
        ours = {name: one for name, one in families.items() if name.startswith("offrecord_")}

        assert {one.full.removesuffix("_total"): (one.kind, one.help) for one in METRICS} == {
            name: (one.type, one.documentation) for name, one in ours.items()
        }
        for told in METRICS:
            samples = ours[told.full.removesuffix("_total")].samples
            assert samples, told.name
            for sample in samples:
                assert {*sample.labels} - {"le"} == {*told.labels}, told.name
        assert "process_resident_memory_bytes" in families


async def test_a_press_is_counted_by_what_came_of_it(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        here.kept.happen(record())
        await here.press()
        await here.kept.bench.written()
        found = await figures(here)

        assert of(found, "presses_total", verb="stop", way="http", outcome="confirmed") == 1
        proof = {"verb": "stop", "outcome": "confirmed"}
        assert of(found, "press_to_proof_seconds_count", **proof) == 1
        assert of(found, "press_to_proof_seconds_bucket", le="+Inf", **proof) == 1
        answers = {"recorder": "local", "kind": "fake", "outcome": "confirmed"}
        assert of(found, "recorder_answers_total", **answers) == 1
        exposed = of(found, "exposed_seconds_total", recorder="local")
        assert exposed is not None
        assert 0 <= exposed < 5
        assert of(found, "intents", verb="stop") == 1
        assert of(found, "intents_failing") == 0


async def test_a_recorder_that_does_not_obey_is_exposed_until_it_does(tmp_path: Path) -> None:
    deaf = True

    async def script(_order: Order) -> RecorderResult:
        if deaf:
            return replace(result("cloud", Outcome.FAILED, Evidence.SENT), retryable=True)
        return result("cloud")

    async with api(tmp_path, FakeRecorder("cloud", script=script)) as here:
        here.kept.happen(record())
        press = (await here.press()).json()["press"]
        assert of(await figures(here), "intents_failing") == 1
        await here.kept.pass_(5)
        deaf = False
        await here.kept.pass_(20)
        [closed] = [r for r in await here.kept.bench.records(press) if r.kind == "closed"]
        found = await figures(here)

        assert of(found, "intents_failing") == 0
        assert of(found, "closed_total", outcome="confirmed", why="solved") == 1
        took = closed.body["exposed_ms"]["cloud"] / 1000
        assert 5 < took < 20
        assert of(found, "exposed_seconds_total", recorder="cloud") == pytest.approx(took)


async def test_the_gauges_are_looked_at_when_asked(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        found = await figures(here)
        names = {
            "ami_up": 1, "ami_ping_seconds": 0.004, "ami_logins_total": 1, "calls_known": 1,
            "calls": 1, "channels": 2, "journal_ok": 1, "journal_waiting": 0,
            "journal_failures_total": 0, "feed_listeners": 0, "ami_events_dropped_total": 0,
        }  # fmt: skip
        assert {name: of(found, name) for name in names} == names

        components: Any = here.components
        link, graph = components.pbx.link, components.pbx.graph
        link.state, link.ping_took, link.logins = LinkState.DOWN, None, 2
        components.pbx.dropped, components.records.failures = 7, 3
        graph.mark_unknown()
        found = await figures(here)
        assert [of(found, n) for n in ("ami_up", "ami_ping_seconds", "calls_known")] == [0, None, 0]
        assert of(found, "ami_events_dropped_total") == 7
        assert of(found, "journal_failures_total") == 3
        assert of(found, "ami_logins_total") == 2


async def test_answers_are_counted_by_route_and_strangers_make_no_series(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        for path in ("/a", "/b", "/v1/presses/x", "/v1/presses/y"):
            await here.get(path)
        await here.ask("BREW", "/v1/calls")
        await here.get("/v1/calls", None)
        found = await figures(here)
        counted = {
            (labels["method"], labels["route"], labels["status"]): value
            for (name, given), value in found.items()
            if name == "offrecord_api_answers_total"
            for labels in [dict(given)]
        }

        assert counted == {
            ("GET", "other", "404"): 2,
            ("GET", "/v1/presses/{press}", "404"): 2,
            ("GET", "/v1/calls", "401"): 1,
            ("other", "/v1/calls", "405"): 1,
        }
        assert of(found, "api_refused_total", why="token") == 1


@pytest.mark.parametrize(("setting", "code"), [(False, 401), (True, 200)])
async def test_metrics_are_open_to_this_machine_only_where_the_site_says_so(
    tmp_path: Path, setting: bool, code: int
) -> None:
    async with api(tmp_path, settings=(("open_metrics", setting),)) as here:
        assert (await here.get("/metrics", None)).status_code == code
        assert (await here.get("/metrics", "board")).status_code == 403
        # Whoever says that they are somebody has to be.
        here.token["wrong"] = "or_nobodys"
        assert (await here.get("/metrics", "wrong")).status_code == 401


# health


async def test_whoever_asks_hears_whether_it_is_ready_and_only_clients_hear_why(
    tmp_path: Path,
) -> None:
    cloud = FakeRecorder("cloud", Outcome.FAILED, Evidence.SENT)
    async with api(tmp_path, cloud) as here:
        await here.press()
        await here.kept.bench.written()
        stranger = await here.get("/readyz", None)
        client = await here.get("/readyz", "board")

        assert (await here.get("/healthz", None)).text == "alive\n"
        assert stranger.status_code == client.status_code == 200
        assert stranger.text.splitlines() == [
            "pbx link: up", "calls: known", "journal: ok", "fastagi: listening",
            "recorder 1: failed", "recorder 2: ok",
        ]  # fmt: skip
        assert "recorder cloud: failed (failed " in client.text
        assert "recorder local: ok (nothing_to_stop " in client.text
        assert (await here.get("/readyz", "prometheus")).text == stranger.text


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("link", "pbx link: down"),
        ("calls", "calls: not known"),
        ("journal", "journal: not written"),
        ("fastagi", "fastagi: closed"),
    ],
)
async def test_each_part_that_counts_makes_it_not_ready(
    tmp_path: Path, what: str, line: str
) -> None:
    async with api(tmp_path) as here:
        parts: Any = here.components
        match what:
            case "link":
                parts.pbx.link.state = LinkState.CONNECTING
                parts.pbx.link.problem = OSError("secret host")
            case "calls":
                parts.pbx.graph.mark_unknown()
            case "journal":
                parts.journal._worker.trouble = JournalError("/var/secret", "look")
            case "fastagi":
                parts.fastagi.listening = False
        stranger = await here.get("/readyz", None)

        assert stranger.status_code == 503
        assert line in stranger.text.splitlines()
        assert "secret" not in stranger.text
        if what in {"link", "journal"}:
            assert "secret" in (await here.get("/readyz", "board")).text
        assert (await here.get("/healthz", None)).status_code == 200


def test_the_process_is_seen_where_only_processes_are(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to(f"/proc/{os.getpid()}")  # and no `stat`: ProcSubset=pid
    registry = CollectorRegistry()
    _Process(proc=str(tmp_path), registry=registry)
    began = registry.get_sample_value("process_start_time_seconds")

    assert began is not None
    assert abs(began - began_at()) < 2
    assert (registry.get_sample_value("process_resident_memory_bytes") or 0) > 1_000_000


def began_at() -> float:
    """Return when this process began, by the boot time that the kernel tells."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    boot = next(
        float(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    )
    return boot + ticks / os.sysconf("SC_CLK_TCK")
