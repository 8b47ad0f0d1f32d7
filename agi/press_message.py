# SPDX-License-Identifier: Apache-2.0
"""The press as AGI carries it, before the daemon makes its own `Press` of it; and the reply to it.

What goes over the wire, and light on purpose. `agi://host/stop?agent=fred` and
`AGI(agi://host/stop,agent=fred)` are the same press.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from agi.verdict_message import AgiVerdict
from agi.wire import Environment


@dataclass(frozen=True, slots=True)
class AgiPress:
    """One press that came in through AGI.

    `verb`: in lower case, not checked against any table. `options`: the words of the query and of
    the dialplan's arguments; a word without `=` has an empty value. `received_at`: seconds since
    the epoch. Caller number and name are what the far end claims: personal data, on which no
    decision may depend.
    """

    verb: str
    channel: str
    uniqueid: str
    received_at: float
    caller_number: str = ""
    caller_name: str = ""
    context: str = ""
    extension: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    way: str = "fastagi"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The daemon's immediate answer to a press: accepted, with the future for its verdict.

    `verdict` belongs to the daemon: a session waits for it and never cancels it. `on_left`, if
    given, is called once when the session is over: with True when the session told the verdict,
    with False when the presser must be notified in another way.
    """

    press_id: str
    verdict: "asyncio.Future[AgiVerdict]"
    on_left: Callable[[bool], None] | None = None


Handler = Callable[[AgiPress], Accepted]
"""Accepts a press and returns at once. Called on the event loop, before any AGI command."""


def press_from(environment: Environment, received_at: float) -> AgiPress:
    """Return the press that an AGI environment asks for.

    The verb is the last part of the path (`agi_network_script`), or the first argument when there
    is no path. The query wins over an argument of the same name: Asterisk writes it before the
    caller's name, which therefore cannot forge it.
    """
    path, _, query = environment.get("agi_network_script").partition("?")
    verb = unquote(path.strip("/").rpartition("/")[2])
    arguments = environment.arguments
    if not verb and arguments and "=" not in arguments[0]:
        verb, arguments = arguments[0], arguments[1:]
    options = dict(_option(word) for word in arguments if word)
    options.update(_query_option(word) for word in query.split("&") if word)
    return AgiPress(
        verb=verb.lower(),
        channel=environment.channel,
        uniqueid=environment.uniqueid,
        received_at=received_at,
        caller_number=environment.get("agi_callerid"),
        caller_name=environment.get("agi_calleridname"),
        context=environment.get("agi_context"),
        extension=environment.get("agi_extension"),
        options=options,
    )


def _option(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip(), value.strip()


def _query_option(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return unquote(name).strip(), unquote(value).strip()
