# SPDX-License-Identifier: Apache-2.0
"""The demo: a call between two SIP phones on a real Asterisk, recorded twice, and one press.

The daemon is a real `offrecord run`. The times come from a second AMI session and from the
Noojee server's own log, not from the daemon's word.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridges.simulators import certificates
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from lab.daemon import DaemonProcess
from lab.demo_report import DemoReport
from lab.pbx.audio import heard
from lab.pbx.chroot import ensure
from lab.pbx.embedded_pbx import EmbeddedPbx, stream
from lab.pbx.ports import free_tcp
from lab.pbx_with_phones import AMI_SECRET, TONES, pbx_with_phones
from lab.site import AGENTS, LabSite
from offrecord.journal import PressSummary, show
from offrecord.reconcile.wav_file import MediaUnreadable

Say = Callable[[str], None]

_RECORDED_FIRST = 2.5
"""Seconds of conversation before the press."""


def on_real_pbx(release: str, say: Say) -> DemoReport:
    """Show one press on Asterisk `release`. Raises `LabUnavailable` where there is none."""
    for wanted in (release, "22"):  # the farm of phones is always a 22
        ensure(wanted, say)
    say(f"starting Asterisk {release}, a farm of SIP phones, a Noojee server and the daemon")
    with (
        tempfile.TemporaryDirectory(prefix="offrecord-demo-") as folder,
        pbx_with_phones(release, fastagi=f"127.0.0.1:{free_tcp()}", label="demo") as asterisks,
    ):
        path = Path(folder)
        site = LabSite(asterisks, path, certificate=certificates.issue(path))
        return asyncio.run(_call_and_press(site, say))


async def _call_and_press(site: LabSite, say: Say) -> DemoReport:
    async with site:
        technology = site.asterisks.technology
        version = site.asterisks.pbx.console("core show version").split(" built")[0].strip()
        report = DemoReport(version)
        caller = await site.people.call("410", "411")
        pressing, other = await site.bridged("410", "411")
        say(f"call up: {pressing['Channel']} with {other['Channel']}, recorded by MixMonitor"
            " and by Noojee")  # fmt: skip
        await asyncio.sleep(_RECORDED_FIRST)
        wav = site.asterisks.pbx.monitor / f"{pressing['Uniqueid']}.wav"
        before = wav.stat().st_size
        say("410 presses *1 (RFC 4733)")
        mark = len(site.pbx.events)
        await site.people.press(caller, "*1")
        zero, _ = await site.pbx.wait_for(
            lambda p: p.get("Event") == "DTMFEnd" and p.get("Digit") == "1", since=mark
        )
        report.zero = zero
        [press] = await site.daemon.verdicts()
        proof_at, proof = await site.pbx.wait_for(
            lambda p: p.get("Event") == "MixMonitorStop", since=mark
        )
        _moments(report, press, site.daemon.journal, site.stops())
        report.at(zero, f"Asterisk: DTMFEnd 1 on {pressing['Channel']}")
        report.at(proof_at, f"Asterisk: MixMonitorStop on {proof['Channel']}")
        _verdict(report, press, site.daemon.journal)
        report.prove_stop(site.stops(), pressing["Uniqueid"], AGENTS["410"])
        await _recording(report, wav, before)
        rows = await site.pbx.channels()
        names = ", ".join(sorted(row["Channel"] for row in rows))
        report.prove("the call is still up", len(rows) == 2, f"{technology} channels {names}")
        return report


def on_captured_call(release: str, say: Say) -> DemoReport:
    """Show one press on the embedded PBX, with a call captured on Asterisk `release`."""
    say("starting an embedded PBX with a captured call, a Noojee server and the daemon")
    with tempfile.TemporaryDirectory(prefix="offrecord-demo-") as folder:
        return asyncio.run(_replay_and_press(release, Path(folder), say))


async def _replay_and_press(release: str, folder: Path, say: Say) -> DemoReport:
    noojee = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    port = free_tcp()
    pbx = EmbeddedPbx(stream(release), ("127.0.0.1", port), AMI_SECRET)
    daemon = DaemonProcess(folder, {})
    async with SimServer(noojee) as server:
        ami_port = await pbx.start()
        try:
            daemon.tables = _replay_tables(daemon, ami_port, port, server.url)
            await daemon.start()
            await asyncio.sleep(0.5)
            say("410 presses *1 (captured on a real Asterisk)")
            digit = pbx.play_until_press()
            report = DemoReport(f"a call captured on Asterisk {release}", zero=pbx.events[-1][0])
            said = await pbx.press(digit, "stop")
            [press] = await daemon.verdicts()
            pbx.play_out()
        finally:
            await daemon.stop()
            await pbx.stop()
    _moments(report, press, daemon.journal, noojee.log.of("stop"))
    for moment, packet in pbx.events:
        if packet["Event"] == "MixMonitorStop":
            report.at(moment, f"PBX: MixMonitorStop on {packet['Channel']}")
    report.at(report.zero, f"PBX: DTMFEnd 1 on {digit['Channel']}")
    _verdict(report, press, daemon.journal)
    report.prove_stop(noojee.log.of("stop"), digit["Uniqueid"], AGENTS["410"])
    played = [line for line in said if "Playback" in line]
    report.prove("the presser was played a tone", bool(played), "; ".join(played) or "none")
    return report


def _replay_tables(daemon: DaemonProcess, ami: int, agi: int, url: str) -> dict[str, object]:
    return {
        "ami": {
            "port": ami, "username": "offrecord", "secret": daemon.secret("ami", AMI_SECRET),
        },
        "agi": {"port": agi},
        "agents": dict(AGENTS),
        "recorders": {
            "local": {"kind": "asterisk"},
            "noojee": {
                "kind": "noojee", "url": url, "auth": "signed",
                "api_key": daemon.secret("key", DEMO_KEY),
            },
        },
    }  # fmt: skip


def _moments(report: DemoReport, press: PressSummary, journal: Path, stops: list[Any]) -> None:
    """Add what the journal and the Noojee server noted, turned to the clock of the report."""
    offset = time.monotonic() - time.time()
    for stop in stops:
        report.at(stop.at + offset, f"Noojee: {stop.method} {stop.path}, answered {stop.status}")
    for record in show(journal, press.press):
        body = record.body
        if record.kind == "answered":
            text = f"{body['recorder']}: {body['outcome']} ({body['evidence']}), {body['detail']}"
            report.at(record.at / 1000 + offset, f"daemon: {text}")
        elif record.kind == "verdict":
            text = f"verdict {body['outcome']} ({body['evidence']})"
            report.at(record.at / 1000 + offset, f"daemon: {text}")


def _verdict(report: DemoReport, press: PressSummary, journal: Path) -> None:
    answers = {r.body["recorder"]: r.body for r in show(journal, press.press)
               if r.kind == "answered"}  # fmt: skip
    local = answers.get("local", {})
    report.prove(
        "every MixMonitor of the call is proven stopped",
        local.get("outcome") == "confirmed" and local.get("evidence") == "L4",
        str(local.get("detail")),
    )
    report.prove(
        "the verdict claims no more than Noojee can prove", press.outcome == "accepted",
        f"{press.outcome}: {press.text}",
    )  # fmt: skip


async def _recording(report: DemoReport, wav: Path, before: int) -> None:
    await asyncio.sleep(0.5)
    stopped = wav.stat().st_size
    await asyncio.sleep(1.0)
    report.prove("the WAV grew while the call was recorded", before > 1000, f"{before} bytes")
    report.prove(
        "the WAV does not grow any more", wav.stat().st_size == stopped, f"{stopped} bytes"
    )
    with contextlib.suppress(MediaUnreadable):
        both = [sum(heard(wav, TONES[phone])) / 10 for phone in ("410", "411")]
        report.prove(
            "both voices are in it until the press", min(both) > 1.0,
            f"410 for {both[0]:.1f} s, 411 for {both[1]:.1f} s",
        )  # fmt: skip
