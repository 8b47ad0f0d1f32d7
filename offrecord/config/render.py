# SPDX-License-Identifier: Apache-2.0
"""The merged configuration as TOML, each value with where it comes from, secrets masked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offrecord.base.secrets import MASK, Secret
from offrecord.config.read_files import dotted
from offrecord.config.validate import Loaded, leaves


def render(loaded: Loaded) -> str:
    """Return what `offrecord check --print-config` prints. A key that is not set has no value."""
    lines: list[str] = []
    table: tuple[str | int, ...] | None = None
    for at, value in leaves(loaded.config):
        head, source = at[:-1], loaded.sources[dotted(at)]
        if value == {}:
            lines += ["", f"# [{dotted(at)}] is empty  # {source}"]
            continue
        if head != table:
            lines += ["", _title(head)] if head else []
            table = head
        if isinstance(value, Secret):
            source += f", from {value.origin}"
        key = dotted(at[-1:])
        if value is None:
            lines.append(f"# {key} is not set  # {source}")
        else:
            lines.append(f"{key} = {_toml(at, value)}  # {source}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _title(head: tuple[str | int, ...]) -> str:
    if isinstance(head[-1], int):
        return f"[[{dotted(head[:-1])}]]"
    return f"[{dotted(head)}]"


def _toml(at: tuple[str | int, ...], value: Any) -> str:
    if isinstance(value, Secret):
        return json.dumps(MASK)
    if at == ("socket", "mode"):
        return json.dumps(f"{value:04o}")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(at, item) for item in value) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{dotted((key,))} = {_toml(at, item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else f"{value}", ensure_ascii=False)
