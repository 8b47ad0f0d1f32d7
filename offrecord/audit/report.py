# SPDX-License-Identifier: Apache-2.0
"""One call on one page: verdicts, recorders and their evidence, time line, proof, picture.

The page is one HTML file that fetches nothing and prints on A4. It holds so much and no more: of
longer lists it says how much is left out, and the JSON lines have it all.
"""

import html
import time
from collections.abc import Sequence
from typing import Any, Final

from offrecord import __version__
from offrecord.audit.export import clean
from offrecord.audit.press_history import Pressed, by_press, iso, text
from offrecord.audit.verify import Proof
from offrecord.audit.waveform import Picture
from offrecord.journal.reader import StoredRecord

PRESSES: Final = 5
ASKED: Final = 8
LINES: Final = 18
PICTURES: Final = 2
_LONG: Final = 110

_STYLE: Final = """
@page { size: A4; margin: 12mm }
* { box-sizing: border-box }
body { font: 8.5pt/1.3 system-ui, sans-serif; color: #111; background: #fff; margin: 0 auto;
  max-width: 186mm }
h1 { font-size: 13pt; margin: 0 0 1mm } h2 { font-size: 9.5pt; margin: 3mm 0 1mm }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
th, td { text-align: left; vertical-align: top; padding: 0.5mm 1.5mm 0.5mm 0;
  border-bottom: 0.2mm solid #ccc; overflow: hidden; overflow-wrap: anywhere }
th { font-weight: 600; color: #444 } p { margin: 1mm 0 }
.good { color: #0b5d1e } .bad { color: #9b1c1c } .small, .hash { font-size: 7pt; color: #444 }
.hash { font-family: monospace; overflow-wrap: anywhere } svg { width: 100%; height: auto }
tr, svg, p { break-inside: avoid }
"""


def page(
    call: str,
    records: Sequence[StoredRecord],
    proof: Proof,
    pictures: Sequence[Picture] = (),
    *,
    now: int | None = None,
) -> str:
    """Return the report of a call as HTML; `now` is milliseconds since the epoch, UTC."""
    found = list(by_press(records))
    made = time.time_ns() // 1_000_000 if now is None else now
    parts = [
        _head(call, found, made),
        _presses(found),
        _recorders(found),
        _pictures(pictures),
        _time_line(records),
        _proof(records, proof),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Recording report, call {_safe(call)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{''.join(parts)}</body></html>\n"
    )


def _head(call: str, found: Sequence[Pressed], made: int) -> str:
    ids = dict.fromkeys(one for press in found for one in press.unique_ids)
    lines = dict.fromkeys(one for press in found for one in press.extensions)
    calls = dict.fromkeys(press.call for press in found if press.call)
    return (
        f"<h1>Recording report: call {_safe(call)}</h1>\n"
        f"<p>Call {_safe(', '.join(calls) or 'not known')}; unique ids "
        f"{_safe(', '.join(ids) or 'not known')}; extensions {_safe(', '.join(lines) or 'none')}."
        f"</p>\n<p class='small'>Made {iso(made)} by offrecord {__version__}. Times are UTC.</p>\n"
    )


def _presses(found: Sequence[Pressed]) -> str:
    rows = []
    for one in found[:PRESSES]:
        good = one.outcome in {"confirmed", "nothing_to_stop"}
        word = f"{one.outcome or 'open'} {one.evidence}".strip()
        rows.append([
            f"{_safe(iso(one.at))}<br><span class='small'>{_safe(one.press)}</span>",
            f"{_safe(one.verb)} by {_safe(one.first.body.get('way'))}",
            _two(one.agent or "-", f"{one.agent_from} {text(one.first.body.get('channel'))}"),
            _safe(one.policy),
            f"<b class='{'good' if good else 'bad'}'>{_safe(word)}</b><br>{_safe(one.said)}",
        ])  # fmt: skip
    head = ("pressed", "verb", "who", "policy", "verdict")
    return "<h2>Verdict</h2>\n" + _table(head, rows, len(found) - PRESSES, (20, 13, 22, 15, 30))


def _derived(press: Pressed) -> str:
    return f"{press.agent_from} {text(press.first.body.get('channel'))}"


def _two(large: str, small: str) -> str:
    return f"{_safe(large)}<br><span class='small'>{_safe(small)}</span>"


def _recorders(found: Sequence[Pressed]) -> str:
    asked = [(press, one) for press in found for one in press.asked()]
    rows = [
        [
            f"{_safe(one.recorder)}<br><span class='small'>{_safe(one.kind)}</span>",
            _safe(press.verb), _safe(f"{one.outcome} {one.evidence}"), _safe(one.detail),
            _ms(one.proven), _ms(one.exposed), str(one.tries),
        ]
        for press, one in asked[:ASKED]
    ]  # fmt: skip
    head = ("recorder", "verb", "outcome", "evidence", "press to proof", "exposed", "tries")
    return "<h2>Recorders</h2>\n" + _table(
        head, rows, len(asked) - ASKED, (14, 9, 15, 34, 11, 11, 6)
    )


def _pictures(pictures: Sequence[Picture]) -> str:
    if not pictures:
        return ""
    shown = "".join(
        f"<p><b>{_safe(one.name)}</b></p>{one.svg}<p class='small'>{_safe(one.caption, 400)}</p>\n"
        for one in pictures[:PICTURES]
    )
    more = len(pictures) - PICTURES
    rest = f"<p class='small'>{more} more recording(s) not shown.</p>\n" if more > 0 else ""
    return f"<h2>Recording</h2>\n{shown}{rest}"


def _time_line(records: Sequence[StoredRecord]) -> str:
    rows = [
        [str(one.seq), _safe(iso(one.at)), _safe(one.kind), _safe(_summary(one))]
        for one in records[:LINES]
    ]
    return "<h2>Time line</h2>\n" + _table(
        ("no.", "at", "what", ""), rows, len(records) - LINES, (8, 21, 12, 59)
    )


_TOLD: Final = (
    "verb", "way", "of", "recorder", "call", "agent", "outcome", "evidence", "why", "what",
    "action", "channel", "file", "text", "detail", "took_ms",
)  # fmt: skip


def _summary(record: StoredRecord) -> str:
    body = clean(record.body)
    told = [f"{key} {text(body[key])}" for key in _TOLD if body.get(key) not in (None, "")]
    return ", ".join(told)


def _proof(records: Sequence[StoredRecord], proof: Proof) -> str:
    if proof.broken is None:
        extent = f"{proof.records} records form one unbroken chain"
        left = "; its archives were left out" if proof.without_archives else ""
        older = f"; {proof.migrated} of them are older than the chain" if proof.migrated else ""
        said = f"<p class='good'>The journal is whole: {extent}{left}{older}.</p>"
    else:
        where = "" if proof.broken.seq is None else f" at record {proof.broken.seq}"
        said = (
            f"<p class='bad'>The journal is NOT whole: {_safe(proof.broken.what)}{where}, "
            f"{_safe(proof.broken.detail)}.</p>"
        )
    last = records[-1] if records else None
    own = f"Hash of record {last.seq}, the last one above: {last.hash}. " if last else ""
    return (
        f"<h2>Proof</h2>\n{said}\n<p class='hash'>{own}"
        f"Head of the journal: record {proof.head.seq}, {proof.head.hash}</p>\n"
    )


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], more: int, widths: Sequence[int]
) -> str:
    columns = "".join(f"<col style='width:{width}%'>" for width in widths)
    cells = "".join(f"<th>{name}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>\n" for row in rows)
    rest = f"<p class='small'>{more} more, see the JSON lines.</p>\n" if more > 0 else ""
    return f"<table><colgroup>{columns}</colgroup><tr>{cells}</tr>\n{body}</table>\n{rest}"


def _safe(value: Any, longest: int = _LONG) -> str:
    """Return a text for the page: nothing secret, no markup, not too long for its place."""
    shown = text(clean(value))
    return html.escape(shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value} ms"
