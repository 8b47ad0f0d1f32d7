# SPDX-License-Identifier: Apache-2.0
"""Read the sources in order: one TOML file, `conf.d/*.toml` by name, then the environment.

Later sources win key by key: a table is merged, a value or list is replaced. The origin of each
value is kept; which keys exist is not known here.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from offrecord.base.errors import Exit, UserError
from offrecord.base.secrets import is_reference

ENV_PREFIX: Final = "OFFRECORD__"
DEFAULT: Final = "default"

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration: the source, the key, what is wrong, the fix."""

    where: str
    key: str
    what: str
    fix: str

    def __str__(self) -> str:
        """Return the problem as one line."""
        parts = [self.where, self.key, self.what]
        line = ": ".join(part for part in parts if part) + (f"; {self.fix}" if self.fix else "")
        return " ".join(line.split())


class ConfigError(UserError):
    """The configuration cannot be used. `problems` has one entry for each mistake."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}", "", Exit.CONFIG)


@dataclass(slots=True)
class Merged:
    """All sources as one tree, and the origin of each leaf by its path."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Set one leaf, replacing any earlier value or table there."""
        table = self.tree
        for step in path[:-1]:
            inner = table.get(step)
            if not isinstance(inner, dict) or is_reference(inner):
                inner = table[step] = {}
            table = inner
        for old in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[old]
        for length in range(1, len(path)):
            self.origins.pop(path[:length], None)
        table[path[-1]] = value
        self.origins[path] = origin

    def add(self, tree: Mapping[str, Any], origin: str, at: tuple[str, ...] = ()) -> None:
        """Merge the tree of one source over the earlier ones."""
        for key, value in tree.items():
            path = (*at, key)
            if isinstance(value, dict) and not is_reference(value):
                if not isinstance(self._at(path), dict):
                    self.put(path, {}, origin)
                self.add(value, origin, path)
            else:
                self.put(path, value, origin)

    def _at(self, path: tuple[str, ...]) -> Any:
        value: Any = self.tree
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def source(self, path: tuple[str, ...]) -> str:
        """Return the source that set a key or a part of its value, `default` when none did."""
        inside = (origin for known, origin in self.origins.items() if known[: len(path)] == path)
        return next(inside, DEFAULT)

    def origin(self, path: tuple[str, ...]) -> str:
        """Return the source of a key or of its nearest table: where to look for a mistake."""
        heads = (path[:length] for length in range(len(path), -1, -1))
        return next((found for head in heads if (found := self.source(head)) != DEFAULT), DEFAULT)


def dotted(path: tuple[str | int, ...]) -> str:
    """Return a key path as TOML writes it: `recorders.noojee.url`, `routes.rule[0].trunk`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            part = step if _BARE.fullmatch(step) else '"' + step.replace('"', '\\"') + '"'
            text += f".{part}" if text else part
    return text


def read(path: Path | None, env: Mapping[str, str]) -> Merged:
    """Read the file, its `conf.d` and the environment. Raises `ConfigError`."""
    merged = Merged()
    if path is not None:
        for file in (path, *sorted((path.parent / "conf.d").glob("*.toml"))):
            merged.add(_parse(file), str(file))
    for name in sorted(env):
        if name.startswith(ENV_PREFIX):
            steps = _env_path(name, merged.tree)
            merged.put(steps, _env_value(name, env[name]), f"environment {name}")
    return merged


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(
            Problem(
                str(file), "", "there is no such file", "create it, or name another by --config"
            )
        ) from None
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        raise ConfigError(Problem(str(file), "", why, "let the daemon's user read it")) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem(str(file), "", "this is not UTF-8", "save it as UTF-8")) from None
    except tomllib.TOMLDecodeError as error:
        what = str(error)[:1].lower() + str(error)[1:]
        raise ConfigError(
            Problem(str(file), "", f"this is not TOML: {what}", "correct that line")
        ) from None


def _env_path(name: str, tree: Mapping[str, Any]) -> tuple[str, ...]:
    """Turn `OFFRECORD__RECORDERS__MY_NOOJEE__URL` into a key path.

    A part that differs from an existing key only in case, or in `_` for `-`, means that key.
    """
    steps: list[str] = []
    table: Any = tree
    for part in name.removeprefix(ENV_PREFIX).split("__"):
        plain = part.lower()
        known = table if isinstance(table, Mapping) else {}
        step = next((key for key in known if key.lower().replace("-", "_") == plain), plain)
        steps.append(step)
        table = known.get(step)
    if not all(steps):
        raise ConfigError(
            Problem(f"environment {name}", "", "a part of the name is empty", "join keys by two _")
        )
    return tuple(steps)


def _env_value(name: str, text: str) -> Any:
    """Return a list or table parsed as TOML, any other text unchanged."""
    if text[:1] not in {"[", "{"}:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        raise ConfigError(
            Problem(f"environment {name}", "", "this is no TOML list or table", "correct it")
        ) from None
