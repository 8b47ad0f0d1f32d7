# SPDX-License-Identifier: Apache-2.0
"""A recorder's own options, checked by its kind, with errors that still name file and key."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

from offrecord.base.logs import Redactor
from offrecord.base.secrets import Secret
from offrecord.config.read_files import ConfigError, Problem
from offrecord.config.validate import Loaded, problems_of, suggest

Settings = TypeVar("Settings")

_KEYED = re.compile(r"(\w+): (.+)", re.DOTALL)


def recorder_settings(loaded: Loaded, name: str, validate: Callable[..., Settings]) -> Settings:
    """Return the settings of the recorder called `name`, made and checked by its kind.

    `validate` is a dataclass, a pydantic model, or a function of the options, and raises
    `ValueError`, whose text may begin with the key: `"url: this is no address"`. A secret among
    the options is a `Secret` to a function, and to a field of that type or of a protocol with
    `reveal`; any other field gets its text. Raises `ConfigError`.
    """
    at = ("recorders", name)
    options = loaded.config.recorders[name].options
    redact = Redactor([value for value in options.values() if isinstance(value, Secret)]).text
    try:
        if not _is_model(validate):
            return validate(options)
        unknown = _unknown(validate, options)
        if unknown:
            raise ConfigError(
                *(loaded.problem((*at, key), "unknown key", fix) for key, fix in unknown)
            )
        adapter: TypeAdapter[Settings] = TypeAdapter(validate)  # type: ignore[arg-type]
        return adapter.validate_python(_given(validate, options))
    except ValidationError as error:
        found = problems_of(loaded.merged, at, validate, error)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        found = [loaded.problem(at, str(error), "")]
    raise ConfigError(*(_keyed(loaded, at, one, redact) for one in found))


def _is_model(validate: Any) -> bool:
    is_class = isinstance(validate, type)
    return is_class and (is_dataclass(validate) or issubclass(validate, BaseModel))


def _unknown(validate: Any, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the options that a dataclass lacks, each with what was probably meant.

    For a dataclass pydantic passes over them without a word.
    """
    if not is_dataclass(validate):
        return []
    known = [field.name for field in fields(validate) if field.init]
    return [(key, suggest(key, known)) for key in options if key not in known]


def _given(validate: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(validate)
    return {
        key: value.reveal()
        if isinstance(value, Secret) and not _takes(hints.get(key), value)
        else value
        for key, value in options.items()
    }


def _takes(hint: Any, secret: Secret) -> bool:
    """Say whether a field is for a `Secret`, or for a protocol that one fulfils."""
    kinds = (hint, *getattr(hint, "__args__", ()))
    return any(isinstance(kind, type) and isinstance(secret, kind) for kind in kinds)


def _keyed(
    loaded: Loaded, at: tuple[str, str], problem: Problem, redact: Callable[[str], str]
) -> Problem:
    """Move a key from the beginning of the text to its place, and keep secrets out."""
    what, own = redact(problem.what), _KEYED.fullmatch(problem.what)
    if own and problem.key == loaded.problem(at, "", "").key:
        return loaded.problem((*at, own[1]), redact(own[2]), problem.fix)
    return Problem(problem.where, problem.key, what, problem.fix)
