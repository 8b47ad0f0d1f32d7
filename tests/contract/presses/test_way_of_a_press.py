# SPDX-License-Identifier: Apache-2.0
"""How far a press has to go before it is on its way to the disk: traced, and held short."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from offrecord.assembly.components import Components
from offrecord.config import load
from offrecord.journal.journal import Journal
from tests.kits.lifecycle_kit import CALL, FakeRecorder
from tests.kits.waiting import safety_net

ROOT: Final = Path(__file__).parents[3]
FILES: Final = 14
ROOMS: Final = 6
ROOM_NAMES: Final = ("agi", "ami", "bridges", "noojee", "offrecord")

ENVIRONMENT: Final = (
    b"agi_network: yes\nagi_network_script: stop?agent=fred\nagi_channel: SIP/410-1\n"
    b"agi_uniqueid: 1.1\nagi_callerid: 410\nagi_context: internal\nagi_extension: 411\n\n"
)


class Way:
    """The project's files that run from the first call in `agi/` until `Journal.write` is called.

    `written` tells that it was; what runs from then on is not noted.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self.written = False

    @property
    def rooms(self) -> list[str]:
        """The folders of the files, in the order they were come to."""
        return list(dict.fromkeys(str(Path(file).parent) for file in self.files))

    def take(self, frame: FrameType, event: str, _argument: object) -> None:
        """Note one event of the profiler."""
        if event != "call" or self.written:
            return
        code = frame.f_code
        file = code.co_filename.removeprefix(f"{ROOT}/")
        if code is Journal.write.__code__:
            self.written = True
            return
        ours = file.startswith(tuple(f"{name}/" for name in ROOM_NAMES))
        begun = bool(self.files) or file.startswith("agi/")
        if ours and begun and file not in self.files:
            self.files.append(file)

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Note what runs in this thread and in those that are started meanwhile."""
        threading.setprofile(self.take)
        sys.setprofile(self.take)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)


def components(folder: Path) -> Components:
    """Return the components of a daemon with one recorder, whose PBX has a call of two phones."""
    config = folder / "offrecord.toml"
    config.write_text(
        f"""[ami]
username = "offrecord"
secret = {{ env = "S" }}
[agi]
port = 45730
[journal]
path = "{folder}/journal.sqlite3"
[recorders.local]
kind = "asterisk"
"""
    )
    recorder: Any = FakeRecorder("local")
    made = Components(
        load(config, {"S": "x"}), ending=asyncio.Event().is_set,
        recorders=lambda _loaded, _pbx: {"local": recorder},
    )  # fmt: skip
    for event in CALL:
        made.pbx.graph.apply(event)
    made.pbx.graph.known = True
    return made


async def press(made: Components) -> list[bytes]:
    """Press by FastAGI as Asterisk does; return the commands that it is told."""
    reader, writer = await asyncio.open_connection(*made.fastagi.address)
    writer.write(ENVIRONMENT)
    told = []
    while line := await reader.readline():
        told.append(line)
        writer.write(b"200 result=1 (SUCCESS)\n")
    writer.close()
    return told


async def test_a_press_passes_few_files_before_it_is_on_its_way_to_the_disk(
    tmp_path: Path,
) -> None:
    made, way = components(tmp_path), Way()
    async with safety_net("the press is over"), made.journal, made.fastagi:
        with way.traced():
            told = await press(made)
        await made.engine.close(1.0)

    assert way.written
    assert any(b"OFFRECORD_PRESS" in line for line in told)
    assert len(way.files) <= FILES, way.files
    assert len(way.rooms) <= ROOMS, way.rooms
    listening = ("offrecord/status/", "offrecord/web/")
    assert not [file for file in way.files if file.startswith(listening)]
