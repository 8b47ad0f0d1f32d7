# SPDX-License-Identifier: Apache-2.0
"""Write the man pages and the completions: `python scripts/make_man.py [FOLDER]`.

A page for each command goes to FOLDER/man, and the scripts of bash, zsh and fish to
FOLDER/completion, under the names that those shells look for. FOLDER is `build` unless another is
named. Everything comes from the commands themselves.
"""

import argparse
import re
from pathlib import Path

from offrecord import __version__
from offrecord.cli.completion import script
from offrecord.model.outcome_codes import EXIT_CODES
from scripts.command_tree import Page, Told, pages
from scripts.docs_tables import MEANS, OTHER_EXITS

ROOT = Path(__file__).parent.parent
COMPLETIONS = {"bash": "offrecord.bash", "zsh": "_offrecord", "fish": "offrecord.fish"}
FILES = (
    Told("/etc/offrecord/offrecord.toml", "The configuration."),
    Told("/etc/offrecord/conf.d/*.toml", "More of it, in the order of the names."),
    Told("/run/offrecord/offrecord.sock", "Where the daemon is asked."),
    Told("/var/lib/offrecord/journal.sqlite3", "The journal."),
)


def roff(text: str) -> str:
    """Return a text with what roff would interpret escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def _list(items: tuple[Told, ...]) -> str:
    return "".join(f".TP\n\\fB{roff(one.written)}\\fR\n{roff(one.means)}\n" for one in items)


def _exits() -> tuple[Told, ...]:
    """Return every exit code, in their order."""
    said = {code.value: text for code, text in OTHER_EXITS.items()}
    for outcome, code in EXIT_CODES.items():
        said.setdefault(code, f"{outcome}: {MEANS[outcome]}")
    return tuple(Told(str(code), said[code]) for code in sorted(said))


def man(page: Page, every: list[Page]) -> str:
    """Return the man page of one command."""
    [first, *more] = page.paragraphs
    parts = [
        f'.TH "{roff(page.name.upper())}" 1 "" "offrecord {roff(__version__)}" "offrecord"\n',
        f".SH NAME\n{roff(page.name)} \\- {roff(page.brief)}\n",
        f".SH SYNOPSIS\n\\fB{roff(page.title)}\\fR {roff(page.usage)}\n",
        f".SH DESCRIPTION\n{roff(first)}\n",
        *(f".PP\n{roff(text)}\n" for text in more),
    ]
    if page.options:
        parts.append(f".SH OPTIONS\n{_list(page.options)}")
    if page.below:
        parts.append(f".SH COMMANDS\n{_list(page.below)}")
    if len(page.words) == 1:
        parts += [f".SH EXIT STATUS\n{_list(_exits())}", f".SH FILES\n{_list(FILES)}"]
    else:
        parts.append(".SH EXIT STATUS\nThe codes are listed in\n.BR offrecord (1).\n")
    near = [one.name for one in every if one is not page and _near(page, one)]
    parts.append(".SH SEE ALSO\n" + ",\n".join(f".BR {roff(one)} (1)" for one in near) + "\n")
    return "".join(parts)


def _near(page: Page, other: Page) -> bool:
    """Return whether a page refers to another: the one above it, and those right below."""
    return other.words in {page.words[:-1], page.words[:1]} or other.words[:-1] == page.words


def write(folder: Path) -> list[Path]:
    """Write everything below `folder`, and remove pages of former commands."""
    (folder / "man").mkdir(parents=True, exist_ok=True)
    (folder / "completion").mkdir(exist_ok=True)
    made = []
    for old in (folder / "man").glob("offrecord*.1"):
        old.unlink()
    every = pages()
    for page in every:
        made.append(folder / "man" / f"{page.name}.1")
        made[-1].write_text(man(page, every))
    for shell, name in COMPLETIONS.items():
        made.append(folder / "completion" / name)
        made[-1].write_text(script(shell))
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build")
    for path in write(parser.parse_args().folder):
        print(path)
