# SPDX-License-Identifier: Apache-2.0
"""Render the merged configuration as TOML: the source behind each value, secrets masked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.items import Item, Table

from offrecord.base.secrets import MASK, Secret
from offrecord.config.read_files import dotted
from offrecord.config.validate import Loaded, leaves

_Path = tuple[str | int, ...]


def render(loaded: Loaded) -> str:
    """Return the text of `offrecord check --print-config`. A key without a value is a comment."""
    document = tomlkit.document()
    for at, value in leaves(loaded.config):
        table, key, source = _table(document, at[:-1]), str(at[-1]), loaded.sources[dotted(at)]
        if isinstance(value, Mapping) and not value:
            table.add(tomlkit.nl())
            table.add(tomlkit.comment(f"[{dotted(at)}] is empty  # {source}"))
            continue
        if value is None:
            table.add(tomlkit.comment(f"{dotted((key,))} is not set  # {source}"))
            continue
        if isinstance(value, Secret):
            source += f", from {value.origin}"
        item = _item(at, value)
        item.comment(source)
        item.trivia.comment_ws = "  "
        table.append(key, item)
    return tomlkit.dumps(document)


def _table(document: Container, path: _Path) -> Container | Table:
    """Return the table at a path, creating missing ones; a number is an index of a list."""
    here: Any = document
    for depth, step in enumerate(path):
        if isinstance(step, int):
            if step == len(here):
                here.append(tomlkit.table())
        elif step not in here:
            inner = path[depth + 1 : depth + 2]
            if inner and isinstance(inner[0], int):
                here.add(tomlkit.nl())
                here.append(step, tomlkit.aot())
            else:
                here.append(step, tomlkit.table(is_super_table=bool(inner)))
        here = here[step]
    found: Container | Table = here
    return found


def _item(path: _Path, value: Any) -> Item:
    if isinstance(value, Secret):
        return tomlkit.item(MASK)
    if path == ("socket", "mode"):
        return tomlkit.item(f"{value:04o}")
    if isinstance(value, Path):
        return tomlkit.item(str(value))
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, inner in value.items():
            table.append(key, _item(path, inner))
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for inner in value:
            array.append(_item(path, inner))
        return array
    plain: Item = tomlkit.item(value)
    return plain
