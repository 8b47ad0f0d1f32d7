# SPDX-License-Identifier: Apache-2.0
"""What `check` says about the folders that recordings go to."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from offrecord.checks.rules.witness import witness
from offrecord.config.sections.witness import WitnessConfig


@dataclass
class Inputs:
    """The inputs that the rule looks at."""

    given: WitnessConfig
    spool: str = ""
    pbx_is_here: bool = True

    @property
    def loaded(self) -> Any:
        return SimpleNamespace(config=SimpleNamespace(witness=self.given))

    async def getvar(self, name: str) -> str:
        assert name == "ASTSPOOLDIR"
        return self.spool


async def said(given: WitnessConfig, spool: str = "", *, here: bool = True) -> list[str]:
    inputs: Any = Inputs(given, spool, here)
    return [str(one) for one in await witness(inputs)]


async def test_folders_that_can_be_watched_are_named(tmp_path: Path) -> None:
    (tmp_path / "monitor").mkdir()
    (tmp_path / "voicemail").mkdir()
    [ok] = await said(WitnessConfig(), str(tmp_path))
    assert ok == f"ok    witness: watches {tmp_path}/monitor, {tmp_path}/voicemail"


async def test_a_folder_that_is_not_here_is_not_watched(tmp_path: Path) -> None:
    given = WitnessConfig(folders=(tmp_path,))
    one, two, ok = await said(WitnessConfig(folders=(tmp_path, tmp_path / "gone")), "/none-here")
    assert one.startswith(f"warn  witness: {tmp_path}/gone not watched: there is no such folder")
    assert two.startswith("warn  witness: /none-here/monitor not watched")
    assert ok == f"ok    witness: watches {tmp_path}"

    away, ok = await said(given, here=False)
    assert away.startswith("skip  witness: spool not watched: the PBX is on another machine")
    assert ok == f"ok    witness: watches {tmp_path}"


async def test_a_witness_that_is_switched_off_is_said() -> None:
    assert (await said(WitnessConfig(enabled=False)))[0].startswith("warn  witness: not watched")
