# SPDX-License-Identifier: Apache-2.0
"""The guides say what the code says, and their links lead somewhere."""

import configparser
import inspect
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from ami.calls import channel_names
from ami.calls.graph import CallGraph
from ami.pbx import Pbx
from ami.privileges import _READS, _WRITES
from bridges import routing
from bridges.model import _WORST_FIRST, Verb
from offrecord.assembly import build as sites
from offrecord.base.errors import Exit
from offrecord.cli.main import cli
from offrecord.config import Config, RecorderConfig, load
from offrecord.daemon import daemon
from offrecord.presses import find_call
from scripts.docs_tables import GUIDES, MARK, fill, sections
from tests.kits.docs_kit import (
    LANGUAGES,
    OWN_TEST,
    ROOT,
    Block,
    all_blocks,
    blocks,
    guides,
    matches,
    read,
)
from tests.kits.waiting import patience

MARKDOWN = [*guides(), *sorted(OWN_TEST), "CONTRIBUTING.md", "CHANGELOG.md"]
FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
BASE = '[ami]\nusername = "offrecord"\nsecret = { env = "DOCS_SECRET" }\n'


def prose(guide: str) -> str:
    return FENCES.sub("", read(guide))


def code_spans(guide: str) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(guide))


def table_of(guide: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table under a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", read(guide), flags=re.MULTILINE)[1]
    rows = re.findall(r"^\| (.*) \|$", section.split("\n## ")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows[1:] if "---" not in row]


# blocks


@pytest.mark.parametrize("guide", guides())
def test_every_block_is_of_a_language_that_is_tried(guide: str) -> None:
    assert {block.language for block in blocks(guide)} <= LANGUAGES
    assert read(guide).count("\n```") == 2 * len(blocks(guide))


def test_every_file_with_blocks_is_tried_by_some_test() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    with_blocks = {name for name in listed if (ROOT / name).exists() and "\n```" in read(name)}

    assert with_blocks <= {*guides(), *OWN_TEST}


@pytest.mark.parametrize("block", all_blocks("toml"), ids=str)
def test_a_configuration_of_the_guides_is_taken(block: Block, tmp_path: Path) -> None:
    text = block.text.replace("/etc/offrecord/", f"{tmp_path}/")
    config = tmp_path / "offrecord.toml"
    if "[ami]" in text:
        config.write_text(text)
    else:
        config.write_text(BASE)
        (tmp_path / "conf.d").mkdir()
        (tmp_path / "conf.d" / "guide.toml").write_text(text)
    for name in re.findall(r'file = "([^"]+)"', text):
        path = Path(name.replace("$CREDENTIALS_DIRECTORY", str(tmp_path)))
        (tmp_path / path).write_text("docs-secret\n")
        (tmp_path / path).chmod(0o600)
    variables = dict.fromkeys(["DOCS_SECRET", *re.findall(r'env = "(\w+)"', text)], "docs-secret")
    loaded = load(config, {**variables, "CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert set(loaded.warnings) <= {
        "no recorder is configured, so every press will fail; add [recorders.NAME]"
    }
    pbx = Pbx(sites.ami_settings(loaded.config), graph=CallGraph())
    assert set(sites.recorders(loaded, pbx)) == set(loaded.config.recorders)


def test_the_first_site_of_the_readme_is_ten_lines() -> None:
    [block] = [block for block in blocks("README.md", "toml") if block.file]

    assert len(block.body.splitlines()) == 10


SHIPPED = [block for block in all_blocks("ini") if not block.file.startswith("/")]


@pytest.mark.parametrize("block", SHIPPED, ids=str)
def test_lines_of_a_snippet_stand_in_the_shipped_file(block: Block) -> None:
    shipped = iter((ROOT / block.file).read_text().splitlines())

    assert block.file.startswith("dialplan-examples/")
    for line in block.body.splitlines():
        assert line in shipped, line  # each after the one before


def test_other_blocks_of_asterisk_and_systemd_are_those_that_are_loaded_elsewhere() -> None:
    elsewhere = {
        ("docs/asterisk.md", "/etc/asterisk/manager.conf"),  # tests/live/test_docs_live.py
        ("docs/ways-in.md", "/etc/systemd/system/offrecord.service.d/override.conf"),  # below
    }

    assert {(b.guide, b.file) for b in all_blocks("ini") if b not in SHIPPED} == elsewhere


@pytest.mark.parametrize(
    ("said", "printed", "alike"),
    [
        (["a", "b"], "a\nb\n", True),
        (["a"], "a\nb\n", False),
        (["…", "b"], "x\ny\nb\n", True),
        (["a", "…"], "a\n", True),
        (["a … c"], "a b c\n", True),
        (["1.0 ms  a", "2.0 ms  b"], "7 ms b\n9 ms a\n", True),
        (["1.0 ms  a"], "7 ms b\n", False),
        ([], "", True),
        ([], "a\n", False),
    ],
)
def test_a_transcript_is_compared_by_what_does_not_change(
    said: list[str], printed: str, *, alike: bool
) -> None:
    assert matches(said, printed) is alike


# tables and facts


@pytest.mark.parametrize("guide", GUIDES)
def test_tables_made_from_the_code_are_up_to_date(guide: str) -> None:
    assert fill(read(guide)) == read(guide), "run: .venv/bin/python scripts/docs_tables.py"


def test_every_section_of_the_configuration_has_its_table() -> None:
    marked = {name for name, _ in MARK.findall(read("docs/configuration.md"))}

    assert marked == {"asterisk", *(f"config {name}" for name in sections())}


def test_the_order_of_outcomes_is_that_of_the_code() -> None:
    [order] = re.findall(r"in this order: (.*?)\. Rec", read("docs/outcomes.md"))

    assert re.findall(r"`(\w+)`", order) == [outcome.value for outcome in _WORST_FIRST]


def test_the_privileges_of_the_account_are_those_that_the_code_asks_for() -> None:
    said = {row[0] for row in table_of("docs/asterisk.md", "The AMI account")}
    asked = {f"`read = {name}`" for name in _READS if name != "dialplan"}
    asked |= {f"`write = {name}`" for name in _WRITES}

    assert asked <= said
    assert said - asked == {"`write = command`"}


def test_the_verbs_of_the_guide_are_those_of_the_code() -> None:
    [verbs] = re.findall(r"The verbs are (.*?)\. ", read("docs/ways-in.md"))

    assert re.findall(r"`(\w+)`", verbs) == [verb.value for verb in Verb]


def test_the_channel_variables_of_the_guide_are_those_that_are_read() -> None:
    rows = table_of("dialplan-examples/README.md", "What to adapt")
    variable = Config.model_fields["extensions"].get_default(call_default_factory=True).variable

    assert {row[0] for row in rows} == {
        f"`{name}`"
        for name in (
            find_call.AGENT_VARIABLE, find_call.TAG_VARIABLE, routing.VARIABLE, variable,
        )
    }  # fmt: skip


def test_the_sections_that_need_a_restart_are_those_of_the_daemon() -> None:
    [told] = re.findall(r"needs a restart for (.*?)\.", read("docs/configuration.md"))

    assert re.findall(r"`(\w+)`", told) == list(daemon._AT_START)


def test_every_snippet_is_in_the_list_of_snippets() -> None:
    rows = {
        row[0].strip("`") for row in table_of("dialplan-examples/README.md", "Dialplan snippets")
    }
    shipped = {path.name for path in (ROOT / "dialplan-examples").glob("*.conf")}

    assert rows == shipped


def test_the_example_names_resolve_as_the_guide_says() -> None:
    assert channel_names.extension("SIP/410-12FA7B") == "410"


# what is said in the middle of a sentence


@pytest.mark.parametrize("guide", MARKDOWN)
def test_commands_in_the_text_exist_with_their_options(guide: str) -> None:
    for span in code_spans(guide):
        words = span.split()
        if words[:1] != ["offrecord"] or len(words) < 2:
            continue
        command: click.Command = cli
        context = click.Context(cli)
        rest = words[1:]
        while rest and isinstance(command, click.Group):
            found = command.get_command(context, rest[0])
            assert found is not None, span
            command, rest = found, rest[1:]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, span


@pytest.mark.parametrize("guide", MARKDOWN)
def test_keys_in_the_text_exist(guide: str) -> None:
    fields = Config.model_fields
    spans = "\n".join(code_spans(guide))
    for section, key in re.findall(r"^([a-z_]+)\.([a-z_]+)(?: = .*)?$", spans, re.MULTILINE):
        if section in fields and key not in {"toml", "conf", "py"}:
            model = fields[section].annotation
            assert inspect.isclass(model), f"{guide}: {section}.{key}"
            assert issubclass(model, BaseModel)
            assert key in model.model_fields, f"{guide}: {section}.{key}"


@pytest.mark.parametrize("guide", MARKDOWN)
def test_sections_in_the_text_exist(guide: str) -> None:
    for span in code_spans(guide):
        found = re.fullmatch(r"\[{1,2}([a-z_]+)(?:\.[\w-]+)*\]{1,2}", span)
        if found and found[1] not in {"general", "globals", "applicationmap", "featuremap"}:
            assert found[1] in Config.model_fields, f"{guide}: {span}"
    assert "role" in RecorderConfig.model_fields


@pytest.mark.parametrize("guide", MARKDOWN)
def test_targets_of_make_in_the_text_exist(guide: str) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for span in code_spans(guide):
        if span.startswith("make "):
            assert span.split()[1] in targets, span


def anchors(path: Path) -> set[str]:
    """Return the anchors that a forge makes of the headings."""
    heads = re.findall(r"^#+ (.*)$", FENCES.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("guide", MARKDOWN)
def test_links_lead_somewhere(guide: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(guide)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / guide).parent / name if name else ROOT / guide
        assert path.exists(), f"{guide}: {target}"
        assert not anchor or anchor in anchors(path), f"{guide}: {target}"


def test_every_guide_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#]+)", read("README.md")))

    assert {*guides(), *OWN_TEST} - {"README.md"} <= linked


# the picture


def test_the_picture_can_be_read_on_any_background_and_fetches_nothing() -> None:
    root = ET.parse(ROOT / "docs" / "images" / "way-of-a-press.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    card = root.find(f"{space}rect[@class='card']")
    styles = root.find(f"{space}style")

    assert root.findtext(f"{space}title")
    assert root.findtext(f"{space}desc")
    assert card is not None
    assert styles is not None
    assert styles.text is not None
    # A card of its own under everything: neither a light nor a dark page shines through.
    assert [child.tag for child in root].index(f"{space}rect") == 4
    assert re.search(r"\.card \{ fill: #ffffff", styles.text)
    assert (float(card.attrib["width"]), float(card.attrib["height"])) == (width - 2, height - 2)
    assert not [e for e in root.iter() if any(key.endswith("href") for key in e.attrib)]
    assert "url(http" not in styles.text
    assert "@import" not in styles.text


def test_the_picture_has_words_for_those_who_do_not_see_it() -> None:
    [words] = re.findall(r"!\[([^\]]+)\]\(docs/images/way-of-a-press.svg\)", read("README.md"))

    assert len(words.split()) > 20


# the systemd unit


def unit() -> dict[str, list[str]]:
    """Return the keys of the unit with all their values."""
    text = (ROOT / "packaging" / "offrecord.service").read_text()
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def test_the_unit_runs_what_the_daemon_is() -> None:
    keys = unit()
    config = Config.model_validate({"ami": {"username": "x", "secret": _secret()}})

    assert keys["ExecStart"][0].split()[1:] == ["run"]
    assert "run" in cli.entries
    assert keys["Type"] == ["notify"]
    assert config.socket.path.parent == Path("/run") / keys["RuntimeDirectory"][0]
    assert config.journal.path.parent == Path("/var/lib") / keys["StateDirectory"][0]
    assert float(keys["TimeoutStopSec"][0]) > config.shutdown.grace
    assert keys["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert "SIGHUP" in inspect.getsource(daemon)


def _secret() -> object:
    from offrecord.base.secrets import Secret

    return Secret("docs")


def test_the_unit_leaves_down_what_only_a_person_can_mend() -> None:
    [codes] = unit()["RestartPreventExitStatus"]

    assert unit()["Restart"] == ["on-failure"]
    assert {int(code) for code in codes.split()} == {Exit.USAGE, Exit.CONFIG, Exit.PBX_SECRET}


def test_the_change_of_the_unit_in_the_guide_is_a_key_of_systemd() -> None:
    [block] = [b for b in blocks("docs/ways-in.md", "ini") if b.file.endswith("override.conf")]
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(block.text)

    assert dict(parser["Service"]) == {"SupplementaryGroups": "asterisk"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_unit_without_a_word(tmp_path: Path) -> None:
    text = (ROOT / "packaging" / "offrecord.service").read_text()
    [block] = [b for b in blocks("docs/ways-in.md", "ini") if b.file.endswith("override.conf")]
    path = tmp_path / "offrecord.service"
    path.write_text(text.replace("/opt/offrecord/bin/offrecord", sys.executable))
    (tmp_path / "offrecord.service.d").mkdir()
    (tmp_path / "offrecord.service.d" / "override.conf").write_text(block.text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)],
        capture_output=True, text=True, check=False, timeout=patience(),
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
