# SPDX-License-Identifier: Apache-2.0
"""Change single keys of a TOML file and keep the rest, comments included. Pure."""

import tomllib
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

Keys = Mapping[tuple[str, str], object]
"""`(section, key)`, as `("recorders.noojee", "url")`, to a text, number, list or table."""


class Unreachable(ValueError):
    """A key is written in a form that cannot be changed safely; the message names it."""


def value_of(tree: Mapping[str, Any], section: str, key: str) -> Any:
    """Return a value of a parsed file, None where it is missing."""
    at: Any = tree
    for step in (*section.split("."), key):
        if not isinstance(at, Mapping) or step not in at:
            return None
        at = at[step]
    return at


def with_keys(text: str, keys: Keys) -> str:
    """Return the text with these keys set; keys that already have their value are not touched.

    The result was parsed again and holds the old values and the new ones, and nothing else.
    Raises `Unreachable`, and `tomllib.TOMLDecodeError` for a text that is no TOML.
    """
    wanted: dict[str, Any] = tomllib.loads(text)
    new = {at: value for at, value in keys.items() if value_of(wanted, *at) != value}
    if not new:
        return text
    made = text
    try:
        for (section, key), value in new.items():
            at = wanted
            for step in section.split("."):
                at = at.setdefault(step, {})
            at[key] = value
        made = _set(text, new)
        right = tomllib.loads(made) == wanted
    except (TOMLKitError, tomllib.TOMLDecodeError, AttributeError, TypeError, ValueError):
        right = False
    if not right:  # such as a section that is no table
        names = ", ".join(f"{section}.{key}" for section, key in keys)
        raise Unreachable(f"one of {names} stands there in a form that cannot be changed")
    return made


def _set(text: str, keys: Keys) -> str:
    document = tomlkit.parse(text)
    for (section, key), value in keys.items():
        at: Any = document
        steps = section.split(".")
        for place, step in enumerate(steps, 1):
            if step not in at:
                at[step] = tomlkit.table(is_super_table=place < len(steps))
            at = at[step]
        at[key] = _inline(value) if isinstance(value, Mapping) else value
    return tomlkit.dumps(document)


def _inline(value: Mapping[str, object]) -> Any:
    """Return an inline table, spaced as in the guides."""
    pairs = ", ".join(f"{key} = {tomlkit.item(item).as_string()}" for key, item in value.items())
    return tomlkit.value(f"{{ {pairs} }}")
