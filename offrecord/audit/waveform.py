# SPDX-License-Identifier: Apache-2.0
"""Draws a recording as SVG: its loudness over time, with the silent windows marked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from offrecord.reconcile import wav_levels
from offrecord.reconcile.wav_file import MediaUnreadable
from offrecord.reconcile.wav_levels import Levels

WIDTH: Final = 720
HEIGHT: Final = 96
_COLUMNS: Final = 360
_FLOOR: Final = -60.0
"""Decibels relative to full scale from which down nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG of a recording and its caption; `svg` is empty if the recording cannot be read."""

    name: str
    svg: str
    caption: str


def draw(path: Path, windows: Sequence[tuple[int, int]]) -> Picture:
    """Draw the recording at `path`; `windows` are the silent ones, in milliseconds UTC.

    A WAV file has no date. Its last change is taken as the end of the recording.
    """
    try:
        levels = wav_levels.read(path)
        ended = path.stat().st_mtime_ns // 1_000_000
    except (MediaUnreadable, OSError) as problem:
        why = problem.why if isinstance(problem, MediaUnreadable) else str(problem)
        return Picture(path.name, "", f"not shown: {why}")
    began = ended - round(levels.length * 1000)
    spans = [
        (max(0.0, (begin - began) / 1000), min(levels.length, (end - began) / 1000))
        for begin, end in windows
    ]
    inside = [(begin, end) for begin, end in spans if end > begin]
    caption = f"{levels.length:.1f} s, {len(levels.channels)} channel(s) at {levels.rate} Hz"
    if not inside:
        caption += "; no silent window lies within it"
    for begin, end in inside:
        heard = wav_levels.sound_in(levels, begin, end)
        loud = f"{sum(one.length for one in heard):.1f} s of sound" if heard else "no sound"
        caption += f"; {begin:.1f} s to {end:.1f} s to be silent: {loud}"
    caption += ". Placed by the file's last change."
    return Picture(path.name, _svg(levels, inside), caption)


def _svg(levels: Levels, inside: Sequence[tuple[float, float]]) -> str:
    length = levels.length or 1.0
    middle, step = HEIGHT / 2, WIDTH / _COLUMNS
    about = 'role="img" aria-label="loudness of the recording over time"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 14}" {about}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#f4f5f7"/>',
    ]
    for begin, end in inside:
        left, wide = begin / length * WIDTH, (end - begin) / length * WIDTH
        parts.append(
            f'<rect class="silent" x="{left:.1f}" y="0" width="{wide:.1f}" height="{HEIGHT}"'
            ' fill="#ffe08a"/>'
        )
    bars = []
    for number, level in enumerate(wav_levels.peaks(levels, _COLUMNS)):
        tall = _tall(level) * middle
        if tall > 0.2:
            bars.append(f"M{(number + 0.5) * step:.1f} {middle - tall:.1f}v{2 * tall:.1f}")
    parts.append(f'<path d="{"".join(bars)}" stroke="#1f3a5f" stroke-width="1.2" fill="none"/>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if not share else "end" if share == 1 else "middle"
        parts.append(
            f'<text x="{share * WIDTH:.0f}" y="{HEIGHT + 11}" font-size="9" fill="#444"'
            f' text-anchor="{anchor}">{share * levels.length:.1f} s</text>'
        )
    parts.append("</svg>")
    return "".join(parts)


def _tall(level: float) -> float:
    """Return the height of a level, 0 to 1, in decibels: speech would be flat on a linear scale."""
    if level <= 0:
        return 0.0
    return max(0.0, 1 - 20 * math.log10(level) / _FLOOR) if level < 1 else 1.0
