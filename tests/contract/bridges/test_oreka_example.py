# SPDX-License-Identifier: Apache-2.0
"""The worked example of a recorder conforms, installs, and is what its guide shows."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from bridges.conformance import CHECKS, OPTIONAL, NotApplicable
from tests.kits.docs_kit import ROOT, Block, blocks, read

EXAMPLE = ROOT / "examples" / "offrecord-oreka"
GUIDE = "docs/writing-a-recorder.md"


def load(name: str) -> ModuleType:
    """Import a file of the example, which is not installed, so that the next one finds it."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recorder, _simulator, fixture = map(load, ("offrecord_oreka", "oreka_simulator", "oreka_fixture"))
own = load("test_oreka")


CANNOT_BE = {
    "wrong_agent_gets_no_yes": "OrkAudio knows no users",
    "verbs_not_offered_are_refused": "every verb is offered",
    "secrets_stay_secret": "this recorder has no secret",
}


@pytest.mark.parametrize("name", CHECKS)
async def test_the_example_conforms(name: str) -> None:
    async with fixture.oreka_fixture() as made:
        if name in CANNOT_BE:
            with pytest.raises(NotApplicable, match=CANNOT_BE[name]):
                await CHECKS[name](made)
        else:
            await CHECKS[name](made)


@pytest.mark.parametrize("case", own.FAULTS)
async def test_its_own_test_of_a_row_passes(case: str) -> None:
    await own.test_a_row_of_the_table(case)


OTHERS = [
    name
    for name in vars(own)
    if name.startswith("test_") and name not in {"test_it_conforms", "test_a_row_of_the_table"}
]


@pytest.mark.parametrize("name", OTHERS)
async def test_its_own_tests_pass(name: str) -> None:
    await getattr(own, name)()


def test_installed_it_is_found_like_our_own_kinds(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=EXAMPLE, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    found = subprocess.run(
        [sys.executable, "-c", "from bridges.registry import find; print(find('oreka').build)"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": f"{wheel}{os.pathsep}{ROOT}"},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert "offrecord_oreka.OrekaRecorder" in found


# the guide


CODE = [block for block in blocks(GUIDE) if block.file.startswith("examples/")]


def test_the_guide_has_no_code_but_the_examples() -> None:
    [other] = [block for block in blocks(GUIDE) if block not in CODE]

    assert other.language == "toml"
    assert {block.language for block in CODE} == {"python", "toml"}
    assert len(CODE) > 10


@pytest.mark.parametrize("block", CODE, ids=str)
def test_a_block_stands_in_the_file_that_it_names(block: Block) -> None:
    assert block.body in (ROOT / block.file).read_text() + "\n"


def test_the_configuration_of_the_guide_is_taken() -> None:
    [block] = [block for block in blocks(GUIDE, "toml") if block not in CODE]
    given = tomllib.loads(block.text)["recorders"]["oreka"]

    assert given.pop("kind") == recorder.OrekaRecorder.kind
    assert recorder.OrekaSettings.model_validate(given).call_id == "SIPCALLID"


def test_the_guide_lists_every_check() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|( yes)? \|$", read(GUIDE), re.MULTILINE)

    assert [name for name, _, _ in rows] == list(CHECKS)
    assert {name for name, _, skipped in rows if skipped} == OPTIONAL
    for name, said, _ in rows:
        assert f"Check that {said}." in str(CHECKS[name].__doc__)
