# SPDX-License-Identifier: Apache-2.0
"""The man pages: one for each command, whole, and such that roff has nothing to say about them."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from offrecord import __version__
from offrecord.cli.main import cli
from scripts import make_man
from scripts.command_tree import Page, Told, pages
from tests.kits.waiting import patience


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    make_man.write(folder)
    return folder


def commands(command: click.Command, words: str) -> set[str]:
    """Return the names of a command and of all below it."""
    found = {words}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= commands(below, f"{words}-{name}")
    return found


def test_every_command_has_a_page(made: Path) -> None:
    assert {path.stem for path in (made / "man").iterdir()} == commands(cli, "offrecord")


def test_each_page_has_the_parts_of_a_page(made: Path) -> None:
    for path in (made / "man").iterdir():
        text = path.read_text()
        parts = re.findall(r"^\.SH (.*)$", text, re.MULTILINE)

        assert text.startswith(f'.TH "{make_man.roff(path.stem.upper())}" 1 "" "offrecord '), path
        assert make_man.roff(__version__) in text.splitlines()[0]
        assert parts[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"], path
        assert {"OPTIONS", "EXIT STATUS", "SEE ALSO"} <= set(parts) or "COMMANDS" in parts, path


def test_each_page_has_every_option(made: Path) -> None:
    for page in pages():
        text = (made / "man" / f"{page.name}.1").read_text()
        for option in page.options:
            assert f"\\fB{make_man.roff(option.written)}\\fR\n" in text, option


def test_pages_that_are_named_exist(made: Path) -> None:
    there = {path.stem for path in (made / "man").iterdir()}
    for path in (made / "man").iterdir():
        named = re.findall(r"^\.BR (\S+) \(1\)", path.read_text(), re.MULTILINE)

        assert named, path
        assert {name.replace("\\-", "-") for name in named} <= there, path


def test_pages_are_the_same_on_every_run(made: Path, tmp_path: Path) -> None:
    make_man.write(tmp_path)

    for path in tmp_path.rglob("*.*"):
        assert path.read_text() == (made / path.relative_to(tmp_path)).read_text()


def test_a_page_of_a_command_that_is_no_more_goes(tmp_path: Path) -> None:
    (tmp_path / "man").mkdir()
    (tmp_path / "man" / "offrecord-tea.1").touch()
    make_man.write(tmp_path)

    assert not (tmp_path / "man" / "offrecord-tea.1").exists()


def test_the_completions_lie_under_the_names_that_shells_look_for(made: Path) -> None:
    texts = {path.name: path.read_text() for path in (made / "completion").iterdir()}

    assert set(texts) == {"offrecord.bash", "_offrecord", "offrecord.fish"}
    assert texts["_offrecord"].lstrip().startswith("#compdef offrecord")
    assert all("_OFFRECORD_COMPLETE=" in text for text in texts.values())


def test_what_roff_would_read_as_its_own_is_told_as_text() -> None:
    page = Page(("offrecord", "tea"), "[OPTIONS]", (".br is 'text'\\n, `a-b`",),
                (Told("--milk", "'Tis milk. .5 l"),), ())  # fmt: skip
    text = make_man.man(page, [page])

    assert "\n\\&.br is 'text'\\en, a\\-b\n" in text
    assert "\n\\&'Tis milk. .5 l\n" in text


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff on this machine")
def test_groff_takes_every_page_without_a_word(made: Path) -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-z", *sorted(map(str, (made / "man").iterdir()))],
        capture_output=True, text=True, check=False, timeout=patience(),
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
