# SPDX-License-Identifier: Apache-2.0
"""The guides as a site: built without a warning, complete, and without anything from outside."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.kits.docs_kit import ROOT, read
from tests.kits.waiting import patience

PARTS = ("Tutorial", "How to", "Reference", "Discussion")


class Fetched(HTMLParser):
    """Collects what a browser would fetch by itself to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "iframe", "source"}:
            self.found.append(given.get("src") or "")
        elif tag == "link" and given.get("rel") != "canonical":
            self.found.append(given.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, where a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", "-c", "docs",
         "-d", str(folder / "doctrees"), ".", str(folder / "html")],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=patience(),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def test_the_site_has_four_parts(site: Path) -> None:
    start = (site / "docs" / "index.html").read_text()
    captions = re.findall(r'class="caption"[^>]*><span class="caption-text">([^<]+)<', start)

    assert tuple(captions) == PARTS
    assert tuple(re.findall(r"^## (.*)$", read("docs/index.md"), re.MULTILINE)) == PARTS


def test_every_guide_is_a_page(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        assert (site / path.relative_to(ROOT).with_suffix(".html")).is_file(), path


def test_a_link_between_guides_leads_to_the_heading_that_it_names(site: Path) -> None:
    page = (site / "docs" / "runbook.html").read_text()

    assert 'href="outcomes.html#exit-codes"' in page
    assert 'id="exit-codes"' in (site / "docs" / "outcomes.html").read_text()


def test_nothing_is_fetched_from_elsewhere_and_no_path_of_this_machine_is_told(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text()
        fetched = Fetched()
        fetched.feed(text)

        assert fetched.found
        assert not [one for one in fetched.found if "//" in one], path
        assert str(ROOT) not in text, path
    for path in (site / "_static").rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", path.read_text()), path
