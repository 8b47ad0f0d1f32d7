# SPDX-License-Identifier: Apache-2.0
"""Captures made in memory from recorded streams, and their replay."""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tomlkit import dumps

from offrecord.ami_capture.capture_file import Reader, write
from offrecord.ami_capture.collect import Collector
from offrecord.ami_capture.make import Capture, make_capture
from offrecord.ami_capture.replay import clock
from offrecord.ami_capture.replay.player import Playback
from offrecord.config import Loaded, load

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "ami"
NO_CALLS = (
    (">", "Action: CoreShowChannels\r\nActionID: one"),
    ("<", "Response: Success\r\nActionID: one\r\nEventList: start"),
    ("<", "Event: CoreShowChannelsComplete\r\nActionID: one\r\nEventList: Complete"),
    (">", "Action: BridgeList\r\nActionID: two"),
    ("<", "Response: Success\r\nActionID: two\r\nEventList: start"),
    ("<", "Event: BridgeListComplete\r\nActionID: two\r\nEventList: Complete"),
)
"""What a recording begins with on a PBX without calls."""

Said = tuple[str, str]


def stream(name: str) -> list[Said]:
    """Return what was said in a recorded scene, without its login."""
    raw = (FIXTURES / f"{name}.ami").read_bytes().decode()
    return [("<", packet) for packet in raw.split("\r\n\r\n") if packet.startswith("Event: ")]


def configured(folder: Path, **more: Mapping[str, Any]) -> Loaded:
    """Return a configuration with a local recorder and a Noojee server."""
    tables: dict[str, Any] = {
        "ami": {"username": "u", "secret": {"env": "S"}},
        "recorders": {
            "ours": {"kind": "asterisk"},
            "acme": {"kind": "noojee", "url": "https://acme.example", "api_key": {"env": "K"}},
        },
        **more,
    }
    path = folder / "offrecord.toml"
    path.write_text(dumps(tables))
    return load(path, {"S": "ami-secret-998877", "K": "noojee-key-112233"})


def collected(said: Iterable[Said], *, step: float = 0.01) -> Collector:
    """Return what is kept of packets that came one after the other; `step` is in seconds."""
    collector = Collector()
    for place, (mark, packet) in enumerate(said):
        collector.add_packet(1_795_000_000.0 + place * step, mark, packet.encode())
    return collector


def made(
    heard: Collector, loaded: Loaded, *, by_daemon: bool = True, seed: int = 1, **hints: str
) -> Capture:
    return make_capture(
        heard, loaded, asterisk="22.10.1", by_daemon=by_daemon, hints=hints,
        chance=random.Random(seed),
    )  # fmt: skip


def replayed(capture: Capture, folder: Path, until: float | None = None) -> dict[str, Any]:
    """Write a capture, read and play it; return what was made of it."""
    path = folder / "capture.txt"
    write(path, capture.head, capture.entries)

    async def play() -> dict[str, Any]:
        reader = Reader(path)
        playback = Playback(reader.head())
        await playback.play(reader.entries(), until)
        reader.close()
        return dict(playback.body())

    return clock.run(play())
