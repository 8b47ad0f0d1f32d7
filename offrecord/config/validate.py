# SPDX-License-Identifier: Apache-2.0
"""Check the merged sources and build the configuration; each mistake becomes one line."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from offrecord.base.secrets import Secret, SecretError, is_reference, resolve
from offrecord.config.read_files import ConfigError, Merged, Problem, dotted, read
from offrecord.config.schema import Config
from offrecord.config.sections.http import ApiConfig
from offrecord.config.sections.journal import AuditConfig, JournalConfig
from offrecord.config.sections.recorders import RecorderConfig

_Section = TypeVar("_Section", bound=BaseModel)

_SECRETS: Final = frozenset({("ami", "secret"), ("ari", "secret"), ("tell", "webhook_secret")})
"""The keys of our own sections that hold a secret."""
_LOOKS_SECRET = re.compile(
    r"(^|[_-])(secret|passw(or)?d|passphrase|token|api[_-]?key|private[_-]?key)$", re.IGNORECASE
)

_RENAMED: Final[Mapping[tuple[str | int, ...], str]] = MappingProxyType({("ladder",): "retry"})
"""Former names of keys, by path, and the present name of each."""

_WORDS: Final = (
    ("int_", "this is not a whole number"),
    ("float_", "this is not a number"),
    ("finite_", "this is not a number"),
    ("bool_", "this is neither true nor false"),
    ("string_", "this is not a text"),
    ("path_", "this is not a path"),
    ("tuple_", "this is not a list"),
    ("too_short", "this list is empty"),
    ("model_", "this is not a table"),
    ("mapping_", "this is not a table"),
    ("dict_", "this is not a table"),
    ("enum", "this is none of the known values"),
    ("literal_", "this is none of the known values"),
    ("greater_", "this is out of range"),
    ("less_", "this is out of range"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration.

    `sources` maps each key to the source of its value: a file, `environment NAME` or `default`.
    `warnings` are sentences for the administrator about things that are not fatal.
    """

    config: Config
    sources: Mapping[str, str]
    warnings: tuple[str, ...]
    merged: Merged

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret in use, for the log's redaction."""
        return tuple(value for _, value in leaves(self.config) if isinstance(value, Secret))

    def problem(self, path: tuple[str | int, ...], what: str, fix: str) -> Problem:
        """Return a problem with one key that names the source that set it."""
        return _problem(self.merged, path, what, fix)


def load(path: Path | None, env: Mapping[str, str]) -> Loaded:
    """Read and check the configuration at `path` (None: environment and defaults only).

    Raises `ConfigError`, with one problem for each mistake.
    """
    merged = read(path, env)
    folder = path.parent.absolute() if path else Path.cwd()
    warnings: list[str] = []
    problems: list[Problem] = []
    tree = _with_secrets(merged, env, folder, warnings.append, problems.append)
    try:
        config = Config.model_validate(tree, context={"folder": folder})
    except ValidationError as error:
        problems += problems_of(merged, (), Config, error)
        raise ConfigError(*problems) from None
    problems += _cross_check(merged, config)
    if problems:
        raise ConfigError(*problems)
    warnings += _doubts(config)
    sources = {dotted(at): merged.source(_plain(at)) for at, _ in leaves(config)}
    return Loaded(config, MappingProxyType(sources), tuple(warnings), merged)


def journal_path(path: Path, env: Mapping[str, str]) -> Path:
    """Return the path of the journal. Reads no secret: its readers may not be allowed to.

    Raises `ConfigError`.
    """
    return _alone(path, env, "journal", JournalConfig).path


def audit_archives(path: Path, env: Mapping[str, str]) -> Path | None:
    """Return the folder of the archives, None when none is configured. Reads no secret.

    Raises `ConfigError`.
    """
    return _alone(path, env, "audit", AuditConfig).archive_folder


def api_tokens(path: Path, env: Mapping[str, str]) -> Path:
    """Return the path of the API's tokens. Reads no secret. Raises `ConfigError`."""
    return _alone(path, env, "api", ApiConfig).tokens


def _alone(path: Path, env: Mapping[str, str], name: str, model: type[_Section]) -> _Section:
    """Return one section without checking the others. Raises `ConfigError`."""
    merged = read(path, env)
    try:
        return model.model_validate(
            merged.tree.get(name, {}), context={"folder": path.parent.absolute()}
        )
    except ValidationError as error:
        raise ConfigError(*problems_of(merged, (name,), model, error)) from None


def leaves(config: Config) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each key path, as written in the file, with its value."""
    yield from _leaves(config, ())


def _leaves(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    items: Iterable[tuple[str | int, Any]]
    if isinstance(value, RecorderConfig):
        own = {key: getattr(value, key) for key in ("kind", "enabled", "role")}
        items = (own | dict(value.options)).items()
    elif isinstance(value, BaseModel):
        items = ((key, getattr(value, key)) for key in type(value).model_fields)
    elif isinstance(value, Mapping) and value:
        items = value.items()
    elif isinstance(value, tuple) and _is_table(value):
        items = enumerate(value)
    else:
        yield at, value
        return
    # Values before tables: in TOML nothing can be added to a table once its own tables began.
    for key, item in sorted(items, key=lambda pair: _is_table(pair[1])):
        yield from _leaves(item, (*at, key))


def _is_table(value: Any) -> bool:
    many = isinstance(value, tuple) and value and isinstance(value[0], BaseModel)
    return bool(many) or isinstance(value, BaseModel | Mapping)


def _plain(at: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the path up to the first index: for a source a list is one value."""
    plain: list[str] = []
    for step in at:
        if isinstance(step, int):
            break
        plain.append(step)
    return tuple(plain)


def _problem(merged: Merged, at: tuple[str | int, ...], what: str, fix: str) -> Problem:
    return Problem(merged.origin(_plain(at)), dotted(at), what, fix)


def _with_secrets(
    merged: Merged,
    env: Mapping[str, str],
    folder: Path,
    warn: Callable[[str], None],
    report: Callable[[Problem], None],
) -> dict[str, Any]:
    """Return the tree with every reference to a secret resolved."""

    def walk(value: Any, at: tuple[str, ...]) -> Any:
        option = at[:1] == ("recorders",) and len(at) > 2
        literal = option and isinstance(value, str) and _LOOKS_SECRET.search(at[-1])
        if at in _SECRETS or literal or (option and is_reference(value)):
            try:
                return resolve(value, env, folder, warn)
            except SecretError as error:
                report(_problem(merged, at, str(error), ""))
                return Secret("unresolved")
        if isinstance(value, dict):
            return {key: walk(item, (*at, key)) for key, item in value.items()}
        return value

    resolved: dict[str, Any] = walk(merged.tree, ())
    return resolved


def problems_of(
    merged: Merged, at: tuple[str, ...], model: type | None, error: ValidationError
) -> list[Problem]:
    """Return one problem for each entry of pydantic's error about `model`, the table at `at`."""
    found: list[Problem] = []
    unknown = [entry for entry in error.errors() if entry["type"] == "extra_forbidden"]
    meant: set[tuple[str | int, ...]] = set()
    for entry in unknown:
        path = entry["loc"]
        known = _known(model, path[:-1])
        key = _RENAMED.get((*at, *path), str(path[-1]))
        close = _close(key, known)
        if close:
            meant.add((*path[:-1], close))
        found.append(_problem(merged, (*at, *path), "unknown key", suggest(key, known)))
    for entry in error.errors():
        kind, path = entry["type"], tuple(step for step in entry["loc"] if step != "[key]")
        about = _description(model, path)
        if kind == "missing" and path not in meant:
            found.append(_problem(merged, (*at, *path), "this is missing", f"add {about or 'it'}"))
        elif kind not in {"missing", "extra_forbidden"}:
            # A table's own validator says the fix itself.
            whole = kind == "value_error" and _field_of(model, path)[0] is not None
            fix = f"give {about}" if about and not whole else ""
            found.append(_problem(merged, (*at, *path), _what(kind, entry["msg"]), fix))
    return found


def _what(kind: str, message: str) -> str:
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return next((words for start, words in _WORDS if kind.startswith(start)), message)


def _field_of(model: type | None, path: tuple[str | int, ...]) -> tuple[type | None, str]:
    """Follow a path through nested models; return the model at its end and the last description."""
    about = ""
    current: Any = model
    for step in path:
        described = getattr(current, "model_fields", {}).get(step)
        if described is None:
            continue  # an index, or the name of an entry in a table
        about = described.description or ""
        current = _inner_model(described.annotation)
    return current, about


def _inner_model(annotation: Any) -> type | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_inner_model(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model), None)


def _known(model: type | None, path: tuple[str | int, ...]) -> list[str]:
    return list(getattr(_field_of(model, path)[0], "model_fields", {}))


def _description(model: type | None, path: tuple[str | int, ...]) -> str:
    return _field_of(model, path)[1]


def _close(key: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(key.lower(), list(known), 1, 0.6)), None)


def suggest(key: str, known: list[str]) -> str:
    """Return a hint: the closest known key, or all known keys."""
    close = _close(key, known)
    return f"did you mean `{close}`?" if close else f"known here: {', '.join(sorted(known))}"


def _cross_check(merged: Merged, config: Config) -> list[Problem]:
    """Return problems between sections, such as a route to a recorder that does not exist."""
    routes: list[tuple[tuple[str | int, ...], tuple[str, ...]]] = [
        (("routes", "rule", index, "recorders"), rule.recorders)
        for index, rule in enumerate(config.routes.rule)
    ]
    routes.append((("routes", "default"), config.routes.default or ()))
    known = list(config.recorders)
    unserved = config.api.enabled and not config.http.enabled
    fix = "set `enabled = true` in [http] too, and the address there"
    served = [_problem(merged, ("api", "enabled"), "nothing listens for it", fix)]
    return (served if unserved else []) + [
        _problem(merged, at, f"there is no recorder {name!r}", suggest(name, known))
        for at, names in routes
        for name in names
        if name not in config.recorders
    ]


def _doubts(config: Config) -> list[str]:
    """Return warnings about settings that are allowed and probably not intended."""
    if not config.recorders:
        return ["no recorder is configured, so every press will fail; add [recorders.NAME]"]
    doubts = []
    for title, rule in [
        ("the default route", None),
        *((f"routes.rule[{index}]", rule) for index, rule in enumerate(config.routes.rule)),
    ]:
        if not config.routed(rule):
            doubts.append(f"{title} has no enabled recorder, so its presses will fail")
    return doubts
