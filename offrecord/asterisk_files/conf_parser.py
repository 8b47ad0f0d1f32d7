# SPDX-License-Identifier: Apache-2.0
"""Parse Asterisk's configuration files with their includes, and add or remove marked blocks.

Repeated sections and keys, measured on Asterisk 16.28 and 22.10: in features.conf and among the
globals a later line wins, also in a second section of the same name; of manager.conf only the first
`[general]` is read. The syntax:
https://docs.asterisk.org/Configuration/Core-Configuration/Configuration-Files/.
"""

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

BEGIN: Final = "; offrecord init: begin"
END: Final = "; offrecord init: end"
"""The marks around our lines; a word after BEGIN names the block."""

Tree = Mapping[str, str]
"""The files of Asterisk's folder: name to text."""

_DEPTH: Final = 10
_SECTION = re.compile(r"\[([^\]]+)\]\s*(\([^)]*\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+[\"<]?([^\">]+?)[\">]?\s*$", re.IGNORECASE)
_BLOCK = re.compile(rf"^{BEGIN} \w+\n.*?^{END}\n", re.MULTILINE | re.DOTALL)
_BLOCK_COMMENT = re.compile(r";--(?!-).*?--;", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\);.*")


@dataclass(frozen=True, slots=True)
class Line:
    """One `key = value` in the order that Asterisk reads it, with its section, file and line."""

    section: str
    key: str
    value: str
    file: str
    number: int

    @property
    def place(self) -> str:
        """File and line, for people."""
        return f"{self.file}:{self.number}"


def lines(tree: Tree, name: str, folder: str = "/etc/asterisk") -> Iterator[Line]:
    """Yield the lines of a file and of the files it includes, in the order that Asterisk reads.

    A file that is not in `tree` has no lines. `folder`: the path of the folder, for includes that
    are written as full paths.
    """
    yield from _lines(tree, name, folder, "", _DEPTH)


def _lines(tree: Tree, name: str, folder: str, section: str, depth: int) -> Iterator[Line]:
    template = False
    for number, text in enumerate(_plain(tree.get(name, "")).split("\n"), 1):
        include = _INCLUDE.match(text)
        head = _SECTION.match(text)
        if include and depth:
            for found in matching(tree, include[1], folder):
                yield from _lines(tree, found, folder, section, depth - 1)
        elif head:
            section, template = head[1].strip(), "!" in (head[2] or "")
        elif "=" in text and not template and not text.startswith("#"):
            key, _, value = text.partition("=")
            value = value.removeprefix(">").strip()
            yield Line(section, key.strip(), value, name, number)


def _plain(text: str) -> str:
    """Return a text without comments, each line stripped; the number of lines stays the same."""
    whole = _BLOCK_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    return "\n".join(_COMMENT.sub("", line).strip() for line in whole.split("\n"))


def matching(tree: Tree, written: str, folder: str) -> list[str]:
    """Return the names of the files that an include, maybe a pattern, refers to."""
    inside = posixpath.relpath(written, folder) if written.startswith("/") else written
    if inside in tree:
        return [inside]
    return sorted(name for name in tree if fnmatch.fnmatchcase(name, inside))


def includes(tree: Tree, name: str, folder: str = "/etc/asterisk") -> list[str]:
    """Return the direct includes of a file: names in the folder, patterns unexpanded."""
    found = [
        match[1]
        for text in _plain(tree.get(name, "")).split("\n")
        if (match := _INCLUDE.match(text))
    ]
    return [posixpath.relpath(one, folder) if one.startswith("/") else one for one in found]


def sections(tree: Tree, name: str, folder: str = "/etc/asterisk") -> dict[str, str]:
    """Return the sections of a file and of its includes, each with its first `file:line`."""
    found: dict[str, str] = {}
    waiting, seen = [name], set()
    while waiting:
        one = waiting.pop(0)
        if one in seen or one not in tree:
            continue
        seen.add(one)
        for number, text in enumerate(_plain(tree[one]).split("\n"), 1):
            if head := _SECTION.match(text):
                found.setdefault(head[1].strip(), f"{one}:{number}")
        for written in includes(tree, one, folder):
            waiting += matching(tree, written, folder)
    return found


def without_block(text: str) -> str:
    """Return a text without the blocks that `with_block` added."""
    return _BLOCK.sub("", text)


def with_block(text: str, word: str, body: str, section: str = "") -> str:
    """Return a text with `body` between marks that carry `word`.

    An earlier block with the same word is replaced. Otherwise the block is added at the end of the
    first section called `section` (created where it is missing), or at the end of the file.
    """
    block = f"{BEGIN} {word}\n{body.rstrip()}\n{END}\n"
    own = re.compile(rf"^{BEGIN} {word}\n.*?^{END}\n", re.MULTILINE | re.DOTALL)
    if own.search(text):
        return own.sub(lambda _found: block, text, count=1)
    text = text if not text or text.endswith("\n") else f"{text}\n"
    if not section:
        return text + block
    rows, plain = text.splitlines(keepends=True), _plain(text).split("\n")
    heads = [n for n, row in enumerate(plain) if _SECTION.match(row)]
    start = next((n for n in heads if _head(plain[n]) == section), None)
    if start is None:
        return f"{text}[{section}]\n{block}"
    end = next((n for n in heads if n > start), len(rows))
    last = max((n for n in range(start, end) if plain[n]), default=start)
    return "".join([*rows[: last + 1], block, *rows[last + 1 :]])


def _head(row: str) -> str:
    match = _SECTION.match(row)
    return match[1].strip() if match else ""
