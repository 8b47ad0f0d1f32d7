# SPDX-License-Identifier: Apache-2.0
"""VoipNow's live calls as its List PhoneCalls gives them, and how they are addressed. Pure.

Field names and their types are those of 4PSA's page "PhoneCalls Resource" (wiki.4psa.com,
UnifiedAPI). Documents of it disagree in places (`link` or `links`, a number or its text, an
`entry` envelope or none), which is why reading is lenient; only what has no meaning at all is a
`ValueError`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from bridges.shared.match_call import Candidate
from bridges.shared.phone_numbers import plain

SELF: Final = "@self"
"""Every extension of a user."""

_PATH: Final = "/uapi/phoneCalls"
_USER: Final = re.compile(r"@me|@viewer|@owner|[0-9]{1,20}")
_EXTENSION: Final = re.compile(r"[0-9]{1,10}(\*[0-9]{1,6})?")
_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_LOOSE_ID: Final = re.compile(r"[A-Za-z0-9:_-]{1,64}")
_VIEW_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LONGEST: Final = 64
_ON_CALL: Final = "5"
_HOURS: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """A user and an extension, between which and a call's id VoipNow's addresses are made."""

    user: str
    extension: str

    def __post_init__(self) -> None:
        """Raise `ValueError` for what is no user or extension."""
        if not _USER.fullmatch(self.user):
            raise ValueError(f"{self.user!r} is no user of VoipNow")
        if self.extension != SELF and not _EXTENSION.fullmatch(self.extension):
            raise ValueError(f"{self.extension!r} is no extension of VoipNow")

    def __str__(self) -> str:
        """Return it as in a path."""
        return f"{self.user}/{self.extension}"

    def calls(self, **query: str | int) -> str:
        """Return path and query of the list of its live calls."""
        text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        return f"{_PATH}/{self}" + (f"?{text}" if text else "")

    def call(self, call_id: str) -> str:
        """Return the path of one call.

        Raises `ValueError` for an empty or odd id: with an empty one VoipNow may take every call
        of the extension to be meant.
        """
        if not _LOOSE_ID.fullmatch(call_id):
            raise ValueError(f"{call_id!r} is no id of a call")
        return f"{_PATH}/{self}/{quote(call_id, safe='')}"


@dataclass(frozen=True, slots=True)
class View:
    """One leg of a call as VoipNow sees it. Times are seconds since the epoch.

    `recording` is True while the leg is recorded: that field is there, whatever it holds.
    """

    id: str
    extension: str = ""
    source: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()
    status: str = ""
    recording: bool = False
    times: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """One live call. `place` is where its own link says that it is, when that can be used."""

    id: str
    extension: str = ""
    views: tuple[View, ...] = ()
    times: tuple[float, ...] = ()
    place: Place | None = None

    @property
    def recorded(self) -> tuple[View, ...]:
        """The views that are being recorded."""
        return tuple(view for view in self.views if view.recording)

    def without(self, view_id: str) -> "PhoneCall":
        """Return the call as if that view were not recorded any more."""
        views = (replace(v, recording=False) if v.id == view_id else v for v in self.views)
        return replace(self, views=tuple(views))

    def of(self, number: str) -> tuple[View, ...]:
        """Return the views of an extension, those on a call first."""
        own = [view for view in self.views if same(view.extension, number)]
        return tuple(sorted(own, key=lambda view: view.status != _ON_CALL))

    def involves(self, number: str) -> bool:
        """Return whether an extension is a party of the call or charged for it."""
        return any(same(other, number) for other in self._numbers())

    def candidate(self, number: str, *, shifted: bool = False) -> "Candidate[PhoneCall]":
        """Return the call as something to choose from for the extension `number`.

        One object of the vendor's own sample mixes UTC offsets, and a call is answered an hour
        before it is there: `shifted` adds every whole hour up to twelve to either side.
        """
        others = tuple(
            text for other in self._numbers() if not same(other, number) and (text := plain(other))
        )
        times = self.times + tuple(time for view in self.views for time in view.times)
        hours = range(-_HOURS, _HOURS + 1) if shifted else (0,)
        began = tuple(time + 3600.0 * hour for time in times for hour in hours)
        return Candidate(self, self.label, began, tuple(dict.fromkeys(others)))

    @property
    def label(self) -> str:
        """The call as people see it: its id and its numbers."""
        numbers = dict.fromkeys(text for text in self._numbers() if text)
        return f"call {self.id} ({', '.join(numbers)})" if numbers else f"call {self.id}"

    def _numbers(self) -> Iterable[str]:
        yield self.extension
        for view in self.views:
            yield view.extension
            yield from view.source
            yield from view.destination


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `following` is the index of the next one, when there is one."""

    calls: tuple[PhoneCall, ...]
    following: int | None = None


def valid_id(call_id: str, *, loose: bool) -> bool:
    """Return whether a text can be the id of a call; `loose` allows `-`, `:` and `_`."""
    return bool((_LOOSE_ID if loose else _ID).fullmatch(call_id))


def extensions(number: str, prefix: str | None) -> tuple[str, ...]:
    """Return the forms of an extension in which to ask for it: extended, then short."""
    number = number.partition("@")[0].strip().removeprefix("+")
    head, star, short = number.partition("*")
    if not star:
        head, short = prefix or "", number
    forms = (f"{head}*{short}" if head else "", short)
    return tuple(form for form in forms if is_extension(form))


def is_extension(text: str) -> bool:
    """Return whether VoipNow could take a text for an extension."""
    return bool(_EXTENSION.fullmatch(text))


def same(one: str, other: str) -> bool:
    """Return whether two spellings are one extension: `0003*210` and `210` are."""
    a, b = (text.partition("@")[0].strip() for text in (one, other))
    if not a or not b:
        return False
    if "*" in a and "*" in b:
        return a == b
    return a.rpartition("*")[2] == b.rpartition("*")[2]


def read_page(document: Any, place: Place, start: int, *, loose: bool) -> Page:
    """Return a list's page from its JSON document; `start` is the index that was asked for.

    Raises `ValueError` for a document that is no list of calls.
    """
    calls = tuple(_call(item, loose=loose) for item in _items(document))
    envelope = document if isinstance(document, dict) else {}
    after = start + len(calls)
    told = _next_index(envelope, place)
    if told is not None and told > start:
        return Page(calls, told)
    total = _number(envelope.get("totalResults"))
    return Page(calls, after if calls and total is not None and total > after else None)


def read_call(document: Any, call_id: str, *, loose: bool) -> PhoneCall | None:
    """Return the one call that was asked for by `call_id`; None when there is none.

    The answer may bear another id than the path, as the vendor's own sample does; the one that
    was asked for stays the truth. Raises `ValueError` for a document that is no call.
    """
    calls = [_call(item, loose=loose) for item in _items(document)]
    named = [call for call in calls if call.id == call_id]
    if named or not calls:
        return named[0] if named else None
    if len(calls) > 1:
        raise ValueError("several calls, none of them the one that was asked for")
    return replace(calls[0], id=call_id)


def some_call(document: Any) -> None:
    """Raise `ValueError` for an answer to an action that holds no call."""
    items = _items(document)
    if not items or not all(isinstance(item, dict) and item.get("id") for item in items):
        raise ValueError("no call")


def _items(document: Any) -> list[Any]:
    """Unwrap an array, an `entry` that is an array, an object by ids or a call, or a bare call."""
    if isinstance(document, dict) and "entry" not in document:
        if "id" not in document and _number(document.get("totalResults")) != 0:
            raise ValueError("neither a call nor a list")
        return [document] if "id" in document else []
    entry = (document["entry"] or []) if isinstance(document, dict) else document
    if isinstance(entry, dict) and "phoneCallView" not in entry:
        return [
            {"id": key} | item if isinstance(item, dict) else item for key, item in entry.items()
        ]
    items = [entry] if isinstance(entry, dict) else entry
    if not isinstance(items, list):
        raise ValueError("a list that is none")  # noqa: TRY004 - a document's fault
    return items


def _call(item: Any, *, loose: bool) -> PhoneCall:
    if not isinstance(item, dict):
        raise ValueError("a call that is no object")  # noqa: TRY004 - as above
    call_id = str(item.get("id", ""))
    if not valid_id(call_id, loose=loose):
        raise ValueError(f"a call whose id is {call_id[:80]!r}")
    views = item.get("phoneCallView") or []
    if isinstance(views, dict):
        views = [views] if "id" in views else list(views.values())
    if not isinstance(views, list) or not all(isinstance(view, dict) for view in views):
        raise ValueError("views that are no objects")
    return PhoneCall(
        call_id,
        _text(item.get("extension")),
        tuple(_view(view) for view in views),
        _times(item, "published", "answered"),
        _place(item),
    )


def _view(item: Mapping[str, Any]) -> View:
    view_id = str(item.get("id", ""))
    if not _VIEW_ID.fullmatch(view_id):
        raise ValueError("a view whose id is odd")
    return View(
        view_id,
        _text(item.get("extension")),
        _texts(item.get("source")),
        _texts(item.get("destination")),
        str(item.get("status", "")),
        bool(item.get("recording")),
        _times(item, "recording", "answered"),
    )


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(text for one in values if (text := _text(one)))


def _text(value: Any) -> str:
    """Return a number or name as one short line."""
    return "".join(c for c in str(value or "")[:_LONGEST] if c.isprintable())


def _times(item: Mapping[str, Any], *names: str) -> tuple[float, ...]:
    found = (_time(item.get(name)) for name in names)
    return tuple(time for time in found if time is not None)


def _time(value: Any) -> float | None:
    try:
        told = datetime.fromisoformat(str(value).strip())
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _place(item: Mapping[str, Any]) -> Place | None:
    """Return the place in a call's own link. Its host is never looked at."""
    for name in ("link", "links"):
        links = item.get(name)
        link = links.get("self") if isinstance(links, dict) else None
        if isinstance(link, str):
            parts = [unquote(part) for part in _path(link).split("/") if part]
            if len(parts) == 5 and parts[:2] == ["uapi", "phoneCalls"]:
                try:
                    return Place(parts[2], parts[3])
                except ValueError:
                    return None
    return None


def _next_index(envelope: Mapping[str, Any], place: Place) -> int | None:
    """Return the start index in the link to the next page, if it is one of the same list."""
    paging = envelope.get("paging")
    link = paging.get("next") if isinstance(paging, dict) else envelope.get("next")
    if not isinstance(link, str) or unquote(_path(link)) != place.calls():
        return None
    told = parse_qs(_split(link)[1]).get("startIndex", [""])
    return _number(told[0])


def _path(link: str) -> str:
    return re.sub(r"/+", "/", _split(link)[0]).rstrip("/")


def _split(link: str) -> tuple[str, str]:
    try:
        parts = urlsplit(link)
    except ValueError:
        return "", ""
    return parts.path, parts.query
