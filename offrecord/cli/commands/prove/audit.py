# SPDX-License-Identifier: Apache-2.0
"""`offrecord audit`: prove the journal, hand it over, seal what is old. Needs no daemon."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from offrecord.base.errors import Exit, UserError
from offrecord.cli.groups import Group
from offrecord.cli.journal_options import journal_file as path_of
from offrecord.cli.journal_options import journal_option
from offrecord.cli.journal_options import since as since_of
from offrecord.cli.options import Command, config_option, json_option, print_json
from offrecord.cli.time_line import clock

_FOLDER = click.option(
    "--archives", type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the archives, when it is not `archives` next to the journal.",
)  # fmt: skip


def _shared(command: Command) -> Command:
    return config_option(journal_option(json_option(command)))


@click.group(cls=Group)
def audit() -> None:
    """Prove the journal, export it, seal what is old."""


@audit.command()
@_shared
@_FOLDER
@click.option("--archive", type=click.Path(path_type=Path, dir_okay=False), multiple=True,
              help="Prove this archive alone; may be given again.")  # fmt: skip
@click.option("--without-archives", is_flag=True, help="Leave sealed archives out.")
@click.option("--expect", metavar="HASH", help="The hash of a record that was noted earlier.")
def verify(
    config_path: Path,
    journal_file: Path | None,
    as_json: bool,
    archives: Path | None,
    archive: tuple[Path, ...],
    without_archives: bool,
    expect: str | None,
) -> int:
    """Check the chain and name the first record that is not as it was written."""
    if archive:
        return _verify_archives(archive, as_json=as_json)
    from offrecord.audit.verify import verify as prove

    path = path_of(config_path, journal_file)
    proof = prove(
        path, archives=archives or _archives(config_path, journal_file),
        without_archives=without_archives, expected=expect.lower() if expect else None,
    )  # fmt: skip
    if as_json:
        print_json(proof.as_json())
    elif proof.broken is None:
        sealed = len(proof.archives)
        click.echo(f"whole: {proof.records} records, the last one is number {proof.head.seq}")
        if sealed:
            how = "left out" if proof.without_archives else f"{proof.archived} of these records"
            click.echo(f"archives: {sealed}, {how}")
        click.echo(f"head: {proof.head.hash}")
    else:
        click.echo(_broken(proof.broken))
    return Exit.OK if proof.broken is None else Exit.TAMPERED


def _verify_archives(archives: tuple[Path, ...], *, as_json: bool) -> int:
    from offrecord.audit import archive as files

    told: list[dict[str, Any]] = []
    worst = Exit.OK
    for path in archives:
        count, broken = files.check(path)
        if broken is not None:
            worst = Exit.TAMPERED
        told.append(
            {
                "archive": str(path),
                "whole": broken is None,
                "records": count,
                "head": files.manifest(path).ranges[-1].hash,
                "sha256": files.fingerprint(path),
                "broken": broken.as_json() if broken else None,
            }
        )
        if not as_json:
            click.echo(f"{path}: {_broken(broken) if broken else f'whole: {count} records'}")
    if as_json:
        print_json(told)
    return worst


def _broken(broken: Any) -> str:
    where = "" if broken.seq is None else f": record {broken.seq}"
    about = [f"press {broken.press}"] if broken.press else []
    about += [clock(broken.at)] if _is_time(broken.at) else []
    about += [broken.kind] if broken.kind else []
    shown = f" ({', '.join(about)})" if about else ""
    return f"{broken.what}{where}{shown}: {broken.detail}"


def _is_time(at: int | None) -> bool:
    return at is not None and 0 <= at < 253_402_300_800_000


def _archives(config_path: Path, journal_file: Path | None) -> Path | None:
    """Return the configured folder; None for `archives` in the folder of the journal."""
    if journal_file is not None:
        return None
    from offrecord.config import audit_archives

    return audit_archives(config_path, os.environ)


@audit.command()
@_shared
@_FOLDER
@click.option("--call", help="A linkedid, uniqueid, channel or target.")
@click.option("--since", callback=since_of, metavar="SPAN|TIME", help="Such as 2h, 7d, 2026-03-01.")
@click.option("--until", callback=since_of, metavar="SPAN|TIME", help="Presses before that.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv", "report"]), default="jsonl",
              show_default=True, help="Lines, a table, or a page.")  # fmt: skip
@click.option("--recording", type=click.Path(path_type=Path, dir_okay=False), multiple=True,
              help="A recording to show in the report; may be given again.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
def export(
    config_path: Path,
    journal_file: Path | None,
    as_json: bool,
    archives: Path | None,
    call: str | None,
    since: int,
    until: int,
    form: str,
    recording: tuple[Path, ...],
    output: Path | None,
) -> None:
    """Hand over the records of a call, or of a span of time, as lines, as a table or as a page."""
    if bool(call) == bool(since):
        raise click.UsageError("name either --call or --since")
    if form == "report" and not call:
        raise click.UsageError("a report is of one call: give --call")
    if recording and form != "report":
        raise click.UsageError("--recording is for --format report")
    if as_json and not output:
        raise click.UsageError("--json tells of a file: give --output")
    from offrecord.audit import export as forms
    from offrecord.audit.press_history import records

    path = path_of(config_path, journal_file)
    found = records(path, call=call, since=since, until=until or None)
    if not found:
        raise UserError("no press matches", "see offrecord presses", Exit.NOT_FOUND)
    if form == "report":
        folder = archives or _archives(config_path, journal_file)
        pieces = iter([_report(path, str(call), found, recording, folder)])
    else:
        pieces = forms.jsonl(found) if form == "jsonl" else forms.table(found)
    _write(pieces, output)
    if as_json:
        print_json({"output": str(output), "format": form, "records": len(found)})


def _report(
    path: Path, call: str, found: list[Any], recordings: tuple[Path, ...], archives: Path | None
) -> str:
    from offrecord.audit import report, waveform
    from offrecord.audit.press_history import by_press, silent
    from offrecord.audit.verify import verify as prove

    named = [Path(str(one.body["file"])) for one in found if one.body.get("file")]
    files = dict.fromkeys([*recordings, *(one for one in named if one.is_file())])
    windows = silent(list(by_press(found)), max(one.at for one in found) + 86_400_000)
    pictures = [waveform.draw(one, windows) for one in files]
    return report.page(call, found, prove(path, archives=archives), pictures)


def _write(pieces: Iterator[str], output: Path | None) -> None:
    if output is None:
        for piece in pieces:
            # A cell may hold what no terminal can show; a pipe gets it as it is.
            sys.stdout.buffer.write(piece.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
        return
    try:
        # It says who called whom: not even the group may read it.
        number = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            for piece in pieces:
                file.write(piece.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UserError(
            f"cannot write {output}: {error.strerror}", "name another file", Exit.USAGE
        ) from error


@audit.command()
@_shared
@_FOLDER
@click.option("--before", callback=since_of, required=True, metavar="SPAN|TIME",
              help="Seal presses that were over by then, such as 365d.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Have the journal keep them as well.")
def seal(
    config_path: Path,
    journal_file: Path | None,
    as_json: bool,
    archives: Path | None,
    before: int,
    keep: bool,
) -> None:
    """Move old presses out of the journal into archives that the chain still leads over."""
    from offrecord.audit.seal import seal as move

    path = path_of(config_path, journal_file)
    folder = archives or _archives(config_path, journal_file)
    done = move(path, before, folder=folder, keep=keep)
    if as_json:
        print_json([one.as_json() for one in done])
    for one in [] if as_json else done:
        click.echo(
            f"sealed {one.manifest.records} records of {one.manifest.presses} presses: {one.path}"
        )
    if not done and not as_json:
        click.echo("nothing is due")


@audit.command()
@_shared
@click.argument("copy", type=click.Path(path_type=Path, dir_okay=False))
def restore(config_path: Path, journal_file: Path | None, as_json: bool, copy: Path) -> None:
    """Replace the journal by a copy; the old one is kept next to it. Stop the daemon first."""
    from offrecord.journal.backup import restore as put_back

    path = path_of(config_path, journal_file)
    aside = put_back(path, copy)
    if as_json:
        print_json({"journal": str(path), "copy": str(copy), "kept": aside and str(aside)})
    else:
        click.echo(f"{path} is what {copy} was")
        if aside is not None:
            click.echo(f"the journal that was there is {aside}")
