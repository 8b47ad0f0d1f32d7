# SPDX-License-Identifier: Apache-2.0
"""Faults of a simulated vendor, and setting the switches for what its documents leave open."""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin


@dataclass(slots=True)
class Fault:
    """Something that goes wrong: `kind[=value][@operation][*times]`, as `stall=11@stop*1`."""

    kind: str
    value: float | None = None
    operation: str | None = None
    times: int | None = None

    def __str__(self) -> str:
        """Return the fault as text, the form that is parsed."""
        value = "" if self.value is None else f"={self.value:g}"
        where = "" if self.operation is None else f"@{self.operation}"
        times = "" if self.times is None else f"*{self.times}"
        return f"{self.kind}{value}{where}{times}"


COMMON_FAULTS: Mapping[str, str] = {
    "reset": "cut the connection without doing or answering anything",
    "stall": "wait the given seconds, or for ever, before doing anything",
    "slow_answer": "do it, then wait the given seconds, or for ever, before answering",
    "half": "do it, answer half a body and cut the connection",
    "drop_after_effect": "do it and cut the connection without an answer",
    "html_200": "do nothing and answer 200 with the HTML page of a proxy",
    "redirect": "do nothing and answer 302 to another place",
    "status": "do nothing and answer the given status with an HTML page",
}
"""The faults every simulator has; a vendor adds its own."""


class Faults:
    """The faults in force; the first that fits a request is used up by it."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.active: list[Fault] = []

    def add(self, text: str) -> Fault:
        """Put a fault in force. Raises `ValueError` for an unknown one."""
        fault = self._parse(text)
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """End every fault."""
        self.active.clear()

    def take(self, operation: str) -> Fault | None:
        """Return the fault that hits this request, if any."""
        for fault in self.active:
            if fault.operation in {None, operation}:
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.active.remove(fault)
                return dataclasses.replace(fault)
        return None

    def _parse(self, text: str) -> Fault:
        rest, _, times = text.partition("*")
        rest, _, operation = rest.partition("@")
        kind, _, value = rest.partition("=")
        if kind not in self.known:
            raise ValueError(unknown("fault", kind, self.known))
        try:
            return Fault(
                kind,
                float(value) if value else None,
                operation or None,
                int(times) if times else None,
            )
        except ValueError:
            raise ValueError(f"fault {text!r} is not KIND[=NUMBER][@OPERATION][*TIMES]") from None


def unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    """Return the message about a name that is not there, with the nearest that is."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def set_switch(switches: Any, name: str, text: str) -> None:
    """Set one field of a dataclass of switches from a text, by the type of the field.

    Raises `ValueError` naming the switch and what it takes.
    """
    fields = {item.name: item for item in dataclasses.fields(switches)}
    if name not in fields:
        raise ValueError(unknown("switch", name, fields))
    kind = fields[name].type
    if get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in get_args(kind)}
        if text not in choices:
            raise ValueError(f"switch {name} is one of {', '.join(choices)}")
        value: Any = choices[text]
    elif kind is bool:
        if text.lower() not in {"true", "false", "on", "off"}:
            raise ValueError(f"switch {name} is true or false")
        value = text.lower() in {"true", "on"}
    else:
        try:
            value = kind(text) if callable(kind) else text
        except ValueError:
            raise ValueError(f"switch {name} takes a number, not {text!r}") from None
    setattr(switches, name, value)
