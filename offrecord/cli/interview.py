# SPDX-License-Identifier: Apache-2.0
"""The answers of `offrecord init`: from flags, from a person at a terminal, or by default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from bridges.model import Verb
from noojee import check_server
from offrecord.asterisk_files import feature_codes
from offrecord.base.secrets import Secret, SecretError, resolve
from offrecord.setup.answers import Answers, Found, Layout, NoojeeAnswers
from offrecord.setup.changes import problem
from offrecord.setup.plan_site import NOOJEE_KEY

_PHONES = re.compile(r"_[0-9XZN.!\[\]-]{1,30}|[0-9]{1,15}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_LOGIN = re.compile(r"[^\x00-\x1f\x7f\"]{1,100}")


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of the command line; None and empty for those that are not given."""

    pbx: str | None
    technology: str | None
    account: str | None
    agi: str | None
    codes: tuple[str, ...]
    move: bool | None
    phones: str | None
    dialplan: bool | None
    trunks: tuple[str, ...]
    noojee: Mapping[str, str | None]
    key_file: Path | None
    ari: bool | None
    unit: bool | None
    overwrite: bool


def answer(found: Found, usual: Answers, flags: Flags, *, ask: bool) -> Answers:
    """Return the answers: from flags, else from the person asked, else the usual ones.

    Raises `click.UsageError` for an answer that is wrong or missing.
    """
    wants_noojee = flags.pbx == "noojee"
    given = replace(
        usual,
        layout=usual.layout if flags.pbx in {None, "noojee"} else Layout(str(flags.pbx)),
        technology=flags.technology or usual.technology,
        account=_checked(_NAME, flags.account or usual.account, "--account"),
        agi=_address(flags.agi or usual.agi),
        move=usual.move if flags.move is None else flags.move,
        trunks=tuple(_checked(_NAME, one, "--trunk") for one in flags.trunks) or usual.trunks,
        ari=usual.ari if flags.ari is None else flags.ari,
        unit=usual.unit if flags.unit is None else flags.unit,
        overwrite=flags.overwrite,
    )
    if ask and flags.pbx is None:
        usual_kind = "noojee" if usual.noojee or _noojee_seen(found) else usual.layout.value
        kind = click.prompt("Kind of PBX", default=usual_kind,
                            type=click.Choice(["plain", "freepbx", "noojee"]))  # fmt: skip
        wants_noojee = kind == "noojee"
        given = given if wants_noojee else replace(given, layout=Layout(kind))
    given = _dialplan(given, flags, ask=ask)
    if ask and not flags.trunks:
        text = click.prompt("Endpoints that are trunks, with spaces between; no press is taken "
                            "from them", default=" ".join(given.trunks) or "none")  # fmt: skip
        names = () if text == "none" else tuple(text.split())
        given = replace(given, trunks=tuple(_checked(_NAME, one, "--trunk") for one in names))
    given = _codes(found, given, flags, ask=ask)
    given = _ari(usual, given, flags, ask=ask)
    if wants_noojee or usual.noojee or any(flags.noojee.values()) or flags.key_file:
        given = replace(given, noojee=_noojee(given.noojee, flags.noojee, ask=ask))
    return given


def _checked(pattern: re.Pattern[str], text: str, flag: str) -> str:
    if not pattern.fullmatch(text):
        raise click.UsageError(f"{flag} {text!r} has signs that cannot stand there")
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[\w.-]+", host) or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.UsageError(f"--agi {text!r} is no host:port, such as 127.0.0.1:4573")
    return text


def _noojee_seen(found: Found) -> bool:
    """Return whether AMI has an account for a Noojee product."""
    text = found.tree.get("manager.conf", "").lower()
    return re.search(r"^\[(noojee|nj)[\w-]*\]", text, re.MULTILINE) is not None


def _dialplan(given: Answers, flags: Flags, *, ask: bool) -> Answers:
    if given.layout is Layout.FREEPBX:
        return given
    if ask and flags.technology is None:
        kind = click.prompt("Channel technology of the phones", default=given.technology,
                            type=click.Choice(["PJSIP", "SIP"]))  # fmt: skip
        given = replace(given, technology=kind)
    phones = None if flags.dialplan is False else flags.phones or given.phones
    if flags.dialplan and phones is None:
        phones = "_4XX"
    if ask and flags.phones is None and flags.dialplan is None:
        text = click.prompt("Extensions for the ready-made contexts, as a pattern; none for a "
                            "dialplan of your own", default=phones or "none")  # fmt: skip
        phones = None if text == "none" else text
    return replace(given, phones=None if phones is None else _checked(_PHONES, phones, "--phones"))


def _ari(usual: Answers, given: Answers, flags: Flags, *, ask: bool) -> Answers:
    if usual.ari and flags.ari is False:
        raise click.UsageError("--no-ari: to take the ARI account back, give --remove, then again")
    if not ask or usual.ari or flags.ari is not None:
        return given
    click.echo(
        "An ARI account stops what ARI applications (Stasis) record of a call. It can also place "
        "calls, listen and hang up."
    )
    return replace(given, ari=click.confirm("Make an ARI account for offrecord?", default=False))


# the codes


def _codes(found: Found, given: Answers, flags: Flags, *, ask: bool) -> Answers:
    codes = {**given.codes, **dict(map(_code, flags.codes))}
    _own_clashes(codes)
    if not ask or flags.codes or given.move is not None:
        return replace(given, codes=codes)
    folder = str(found.places.etc)
    others = feature_codes.in_play(found.tree, folder)
    clashing = feature_codes.clashes(codes, others)
    if not clashing or feature_codes.by_hand(found.tree, folder):
        return replace(given, codes=codes)
    for clash in clashing:
        click.secho(f"  {clash}", fg="yellow")
    _, left = feature_codes.moved_away(codes, others)
    ways = ["other", *([] if left or given.layout is Layout.FREEPBX else ["move"])]
    way = click.prompt(
        "Move Asterisk's codes out of the way, or take other codes for ours?"
        if len(ways) > 1 else "Take other codes for ours",
        type=click.Choice(ways), default=ways[-1],
    )  # fmt: skip
    if way == "move":
        return replace(given, codes=codes, move=True)
    kept = others if given.layout is Layout.FREEPBX else feature_codes.chosen(others)
    free = feature_codes.free_codes(list(codes), kept)
    chosen = {
        verb: _code(f"{verb.value}={click.prompt(f'Code for {verb.value}', default=code)}")[1]
        for verb, code in (free or codes).items()
    }
    _own_clashes(chosen)
    return replace(given, codes=chosen)


def _code(text: str) -> tuple[Verb, str]:
    name, _, code = text.partition("=")
    known = {verb.value: verb for verb in feature_codes.shipped().codes}
    if name not in known:
        raise click.UsageError(f"--code {text!r} names no verb of {', '.join(known)}")
    if not feature_codes.CODE.fullmatch(code):
        raise click.UsageError(f"--code {text!r} is not 1 to 8 of 0-9, *, #, A-D")
    return known[name], code


def _own_clashes(codes: Mapping[Verb, str]) -> None:
    for verb, code in codes.items():
        for other, longer in codes.items():
            if verb is not other and longer.startswith(code):
                raise click.UsageError(
                    f"--code {other.value}={longer} can never be dialled: "
                    f"{code} fires first, for {verb.value}"
                )


# Noojee


def _noojee(
    usual: NoojeeAnswers | None, given: Mapping[str, str | None], *, ask: bool
) -> NoojeeAnswers:
    def one(name: str, flag: str, text: str, default: str | None) -> str:
        value = given.get(name)
        if value is None and ask:
            kind: Any = click.Choice(["api_key", "signed"]) if name == "auth" else str
            value = click.prompt(text, default=default, type=kind)
        value = value or default
        if not value:
            raise click.UsageError(f"a Noojee recorder needs {flag}")
        return _checked(_LOGIN, str(value), flag)

    made = NoojeeAnswers(
        one("url", "--noojee-url", "Address of Noojee, as https://noojee.example",
            usual.url if usual else None),
        one("agent", "--noojee-agent", "Noojee user for presses that name no agent",
            usual.agent_login if usual else "offrecord"),
        one("auth", "--noojee-auth", "How Noojee takes its key: api_key, or signed for older ones",
            usual.auth if usual else "api_key"),
        given.get("ca_file") or (usual.ca_file if usual else None),
    )  # fmt: skip
    try:
        check_server(made.url, api_path="/servicemanager/rest", ca_file=None, plain_http=False)
    except ValueError as error:
        raise click.UsageError(f"--noojee-url: {error}") from None
    return made


def noojee_key(found: Found, answers: Answers, flags: Flags, *, ask: bool) -> Secret | None:
    """Return the key of Noojee to write; None leaves the file as it is.

    Raises `click.UsageError` when no key is given, `UserError` for a file without one.
    """
    if answers.noojee is None:
        return None
    if flags.key_file is not None:
        try:
            return resolve({"file": str(flags.key_file.absolute())}, {}, Path("/"), _silent)
        except SecretError as error:
            raise problem(str(error), "give its file by --noojee-key-file") from None
    there = found.text(found.places.credentials / NOOJEE_KEY)
    if there is not None:
        return None
    if not ask:
        raise click.UsageError("a Noojee recorder needs --noojee-key-file")
    return Secret(click.prompt("Noojee's API key (it is not shown)", hide_input=True).strip())


def _silent(_text: str) -> None:
    """Ignore a warning about the mode of a file that is only copied."""
