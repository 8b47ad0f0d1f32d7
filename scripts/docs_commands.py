# SPDX-License-Identifier: Apache-2.0
"""The generated parts of docs/cli.md, from the commands themselves."""

from scripts.command_tree import Page, Told, pages


def commands() -> str:
    """Return a section for each command: its usage, its help, its options."""
    return "\n".join(_part(page) for page in pages() if len(page.words) > 1)


def overview() -> list[tuple[str, str]]:
    """Return a row for each command that is no group."""
    return [
        (f"[`{page.title}`](#{page.name})", _plain(page.brief))
        for page in pages()
        if not page.below
    ]


def _part(page: Page) -> str:
    lines = [f"## {page.title}", ""]
    if not page.below:
        lines += [f"`{page.title} {page.usage}`", ""]
    for text in page.paragraphs:
        lines += [_plain(text), ""]
    if page.below:
        lines += ["| command | does |", "| --- | --- |"]
        for one in page.below:
            link = f"[`{page.title} {one.written}`](#{page.name}-{one.written})"
            lines.append(f"| {link} | {_plain(one.means)} |")
    else:
        lines += ["| option | meaning |", "| --- | --- |", *map(_row, page.options)]
    return "\n".join(lines) + "\n"


def _row(one: Told) -> str:
    written = one.written.replace("|", "\\|")
    return f"| `{written}` | {_plain(one.means)} |"


def _plain(text: str) -> str:
    """Return a help text with what Markdown would interpret escaped, except in its code."""
    parts = text.split("`")
    for place in range(0, len(parts), 2):
        for sign in "\\|<>[]*_":
            parts[place] = parts[place].replace(sign, f"\\{sign}")
    return "`".join(parts)
