# SPDX-License-Identifier: Apache-2.0
"""The merged configuration as TOML, each value with where it comes from, secrets masked."""

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
    """Return what `offrecord check --print-config` prints. A key that is not set has no value."""
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
    """Return the table at a path, made where it is missing; a number is a place in a list."""
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
