# SPDX-License-Identifier: Apache-2.0
"""Check a recorder's own options by its kind; errors name the source and the key."""

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

    `validate`: a dataclass, a pydantic model, or a function of the options. It raises
    `ValueError`, whose text may begin with the key: `"url: this is no address"`. A function gets
    a secret as `Secret`, a field does where its type is `Secret` or a protocol with `reveal`; any
    other field gets the text. Raises `ConfigError`.
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
    """Return the options that a dataclass has no field for, each with a suggestion.

    Pydantic ignores them silently for a dataclass.
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
    """Return whether a field's type is `Secret`, or a protocol that a `Secret` fulfils."""
    kinds = (hint, *getattr(hint, "__args__", ()))
    return any(isinstance(kind, type) and isinstance(secret, kind) for kind in kinds)


def _keyed(
    loaded: Loaded, at: tuple[str, str], problem: Problem, redact: Callable[[str], str]
) -> Problem:
    """Return the problem with the key at the start of its text moved to `key`, secrets masked."""
    what, own = redact(problem.what), _KEYED.fullmatch(problem.what)
    if own and problem.key == loaded.problem(at, "", "").key:
        return loaded.problem((*at, own[1]), redact(own[2]), problem.fix)
    return Problem(problem.where, problem.key, what, problem.fix)
