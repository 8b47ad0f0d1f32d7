# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - Sphinx reads this file alone, and the folder is no package
"""How the guides become a site: `sphinx-build -W -n -c docs . build/site`.

The source is the whole repository, so that links hold here as in the plain view of it. What stands
in the margin is made from docs/index.md: each of its lists is a part, each link of one a page.
Nothing is fetched, neither while the site is made nor by who reads it.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

_ROOT = Path(__file__).parent.parent
_START = "docs/index"
_NAMES = {"/README": "On one page </README>"}

project = "offrecord"
[release] = re.findall(
    r'^__version__ = "(.+)"$', (_ROOT / "offrecord" / "__init__.py").read_text(), re.MULTILINE
)
version = release

extensions = ["myst_parser"]
root_doc = _START
source_suffix = {".md": "markdown"}
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "dialplan-examples/README.md",
    "docs/**.md",
]
exclude_patterns = [".*", "build", "dist", "examples", "tests"]  # else all of it is walked
nitpicky = True
smartquotes = False  # they would make a dash of the two before an option

myst_heading_anchors = 4

html_theme = "furo"
html_title = "offrecord"
html_baseurl = ""
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False


def _margin(_app: Sphinx, name: str, source: list[str]) -> None:
    """Give each part of the start page the pages that its links lead to."""
    if name != _START:
        return
    [text] = source
    head, *parts = re.split(r"(?=^## )", text, flags=re.MULTILINE)
    told: set[str] = set()
    source[0] = head + "".join(part + _toctree(part, told) for part in parts)


def _toctree(part: str, told: set[str]) -> str:
    caption = part.partition("\n")[0].removeprefix("## ")
    pages = []
    for target in re.findall(r"\]\(([^)#]+)\)", part):
        path = (_ROOT / "docs" / target).resolve()
        found = sorted(path.glob("*.md")) if path.is_dir() else [path]
        pages += [f"/{one.relative_to(_ROOT).with_suffix('')}" for one in found]
    new = [page for page in dict.fromkeys(pages) if page not in told]
    told.update(new)
    rows = "\n".join(_NAMES.get(page, page) for page in new)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{rows}\n```\n\n" if new else "\n"


def _folders(app: Sphinx, name: str, source: list[str]) -> None:
    """Make plain text of links to folders: a site has no pages for them."""
    here = Path(app.env.doc2path(name)).parent

    def plain(found: re.Match[str]) -> str:
        return found[1] if (here / found[2]).is_dir() else found[0]

    source[0] = re.sub(r"\[([^\]]+)\]\(([\w./-]+)\)", plain, source[0])


def setup(app: Sphinx) -> None:
    """Tie both to the reading of pages."""
    app.connect("source-read", _margin)
    app.connect("source-read", _folders)
