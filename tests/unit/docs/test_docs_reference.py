# SPDX-License-Identifier: Apache-2.0
"""The guides as a whole: complete, addressed to somebody, and of one word with code and alerts."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from offrecord.cli.main import cli
from scripts import docs_events
from scripts.command_tree import pages
from tests.kits.docs_kit import ROOT, read

RULES = ROOT / "packaging" / "prometheus" / "offrecord.rules.yml"
PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


def alerts() -> Mapping[str, Mapping[str, Any]]:
    """Return the alerts that are shipped, by name."""
    told = yaml.safe_load(RULES.read_text())
    return {rule["alert"]: rule for group in told["groups"] for rule in group["rules"]}


def runbook() -> dict[str, str]:
    """Return the entries of the runbook by their anchors."""
    _, *entries = re.split(r"^## ", read("docs/runbook.md"), flags=re.MULTILINE)
    told = (entry.partition("\n") for entry in entries)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-"): text for h, _, text in told}


# pages


@pytest.mark.parametrize("guide", PAGES)
def test_a_page_says_first_whom_it_is_for(guide: str) -> None:
    title, blank, first, *_ = read(guide).splitlines()

    assert title.startswith("# ")
    assert blank == ""
    assert re.match(r"For (?!example)", first), f"{guide} begins with: {first}"


def test_the_start_page_leads_to_every_guide() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)", read("docs/index.md")))

    assert {f"docs/{name}" for name in linked} == {*PAGES} - {"docs/index.md"}


# reference


def test_every_kind_of_record_in_the_code_has_a_meaning_and_no_other_has() -> None:
    assert set(docs_events.noted()) == set(docs_events.KINDS)


def test_every_alarm_in_the_code_has_a_meaning_and_no_other_has() -> None:
    assert docs_events.alarms() == set(docs_events.ALARMS)


def test_records_are_found_with_what_they_hold() -> None:
    found = {row[0]: row[2] for row in docs_events.kinds()}

    assert found["`pressed`"].startswith("`verb`, `way`, `target`")
    assert found["`rejoined`"] == "`why`"
    assert "`leg`, `file`" in found["`incident`"]
    assert "`archive`, `sha256`" in found["`sealed`"]
    assert all(found.values())


def test_every_command_is_in_the_reference() -> None:
    told = set(re.findall(r"^## offrecord ([\w-]+)$", read("docs/cli.md"), re.MULTILINE))

    assert told == set(cli.entries)


def test_every_option_of_every_command_says_what_it_means() -> None:
    silent = [
        f"{page.title} {option.written}"
        for page in pages() for option in page.options
        if not re.sub(r"\[[^\]]*\]", "", option.means).strip()
    ]  # fmt: skip

    assert silent == []


# the runbook


def test_every_alert_leads_to_an_entry_of_the_runbook_that_names_it() -> None:
    entries = runbook()
    for name, rule in alerts().items():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")

        assert page == "docs/runbook.md", name
        assert f"`{name}`" in entries[anchor], name


def test_the_runbook_names_no_alert_that_there_is_not() -> None:
    named = set(re.findall(r"`(Offrecord\w+)`", read("docs/runbook.md")))

    assert named == set(alerts())


def test_the_runbook_says_what_to_do_about_each_alarm() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", runbook()["an-alarm"], re.MULTILINE)

    assert set(rows) == docs_events.alarms()


def test_every_entry_of_the_runbook_is_in_its_list() -> None:
    listed = re.findall(r"\]\(#([\w-]+)\)", read("docs/runbook.md").split("\n## ")[0])

    assert list(runbook()) == sorted(set(listed), key=list(runbook()).index)
