# SPDX-License-Identifier: Apache-2.0
"""What the guides hold that can be tried: their fenced blocks, and how they are written.

- `console`: lines that begin with `$ ` are commands; the lines after one are what it prints, and
  a command without such lines prints nothing. `…` stands for any text, alone on a line for any
  lines. Times, ids and addresses are compared by their form.
- `toml`: configuration. `ini`: files of Asterisk. A first line that is a comment with a path says
  which file it is, or of which file it is a part.
- `<!-- with: … -->` before a block names what must be there for it: see `tests/contract/docs_site`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = {"console", "toml", "ini"}
OWN_TEST = {
    "docs/noojee.md", "docs/packages.md", "docs/upgrading.md", "docs/writing-a-recorder.md",
}  # fmt: skip
"""Guides whose blocks have a test module of their own."""

_BLOCK = re.compile(
    r"^(?:<!-- with: (?P<given>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def guides() -> list[str]:
    """Return every guide whose blocks are tried here."""
    docs = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
    return ["README.md", "dialplan-examples/README.md", *(g for g in docs if g not in OWN_TEST)]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a guide, and the lines that it is said to print."""

    command: str
    printed: tuple[str, ...]

    @property
    def program(self) -> str:
        """The program that is called, without variables set before it."""
        return next(word for word in self.command.split() if "=" not in word)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a guide."""

    guide: str
    line: int
    language: str
    text: str
    given: tuple[str, ...]

    def __str__(self) -> str:
        """Return where it is."""
        return f"{self.guide}:{self.line}"

    @property
    def steps(self) -> list[Step]:
        """The commands of a `console` block."""
        steps: list[Step] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line[2:], ()))
            else:
                steps[-1] = Step(steps[-1].command, (*steps[-1].printed, line))
        return steps

    @property
    def file(self) -> str:
        """The path in the comment on the first line, if there is one."""
        found = re.match(r"[;#] (\S*/\S+)\n", self.text)
        return found[1] if found else ""

    @property
    def body(self) -> str:
        """The text without that comment."""
        return self.text.partition("\n")[2] if self.file else self.text


def read(guide: str) -> str:
    """Return the text of a guide."""
    return (ROOT / guide).read_text()


def blocks(guide: str, language: str = "") -> list[Block]:
    """Return the blocks of a guide in order, of one language or all."""
    text = read(guide)
    found = [
        Block(
            guide, text[: match.start("language")].count("\n") + 1, match["language"],
            match["text"], tuple((match["given"] or "").split()),
        )
        for match in _BLOCK.finditer(text)
    ]  # fmt: skip
    return [block for block in found if not language or block.language == language]


def all_blocks(language: str = "") -> list[Block]:
    """Return the blocks of every guide."""
    return [block for guide in guides() for block in blocks(guide, language)]


def console_commands() -> list[str]:
    """Return what the guides, in blocks or in a line, have Asterisk's console do."""
    found = re.findall(r"asterisk -rx '([^']+)'", "".join(map(read, guides())))
    return sorted(set(found))


_FORMS = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
    (r"\b1[0-9a-hjkmnp-tv-z]{13}\b", "PRESS"),
    (r"\b(?:[a-z][\w-]*-)?\d{10}\.(\d+)\b", r"UNIQUEID.\1"),
    (r"\b\d{13}\b", "MILLISECONDS"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\b\d+(?:\.\d+)?(?= ms\b)", "N"),
    (r"\s+", " "),
    (r"(?<=accepted )\d+(?:\.\d+)?$", "N"),
)


def form(line: str) -> str:
    """Return a line with what changes from run to run replaced by what it is."""
    line = line.strip()
    for pattern, name in _FORMS:
        line = re.sub(pattern, name, line)
    return line


def _in_order(lines: Iterable[str]) -> list[str]:
    """Return lines with those of a time line, which begin with a time, in the order of letters.

    What two recorders answer at the same time comes in either order.
    """
    given = [form(line) for line in lines]
    times = iter(sorted(line for line in given if line.startswith("N ms")))
    return [next(times) if line.startswith("N ms") else line for line in given]


def matches(said: Iterable[str], printed: str) -> bool:
    """Say whether a program printed what a guide says that it prints."""
    pattern, several = "", False
    for line in _in_order(said):
        if line == "…":
            several = True
            continue
        pattern += r"(?:[^\n]*\n)*" if several else ""
        pattern += r"[^\n]*".join(map(re.escape, line.split("…"))) + r"\n"
        several = False
    pattern += r"(?:[^\n]*\n)*" if several else ""
    actual = "".join(f"{line}\n" for line in _in_order(printed.splitlines()))
    return re.fullmatch(pattern, actual) is not None
