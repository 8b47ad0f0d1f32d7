# SPDX-License-Identifier: Apache-2.0
"""Make the plan of a set-up from findings and answers, and the plan that removes it again. Pure."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from offrecord.asterisk_files import conf_parser, feature_codes
from offrecord.setup.answers import Answers, Found, Layout, NoojeeAnswers, Secrets
from offrecord.setup.changes import Change, Owner, Plan, fingerprint
from offrecord.setup.plan_ari import SECRET as ARI_SECRET_FILE
from offrecord.setup.plan_ari import plan_ari
from offrecord.setup.plan_pbx import DIALPLAN, SECRET, PbxPlan
from offrecord.setup.plan_site import (
    AMI_SECRET,
    ARI_SECRET,
    listening,
    manifest,
    next_steps,
    parsed,
    recorder,
    site_changes,
)

RELOADS = {
    "manager": "manager reload",
    "extensions": "dialplan reload",
    "globals": "dialplan reload",
    "features": "module reload features",
    "http": "module reload http",
    "ari": "module reload res_ari.so",
}
"""Console commands that reload the files whose names begin with the key."""


def plan(found: Found, answers: Answers, secrets: Secrets) -> Plan:
    """Return the changes that give the site what the answers say.

    Secrets come first, and included files before the files that include them: Asterisk may be
    reloaded at any moment in between.
    """
    pbx = PbxPlan(found, answers, secrets)
    pbx.make()
    if answers.ari and secrets.ari is not None:
        plan_ari(pbx, found, answers, secrets.ari)
    site, problems = site_changes(found, answers, secrets)
    changes = [*site, *pbx.changes]
    changes += manifest(found, changes)
    return Plan(
        tuple(changes), (*pbx.notes, *listening(found)),
        tuple(next_steps(found, answers) if changes else ()),
        _reloads(found, changes), (*pbx.problems, *problems),
    )  # fmt: skip


def _reloads(found: Found, changes: list[Change]) -> tuple[str, ...]:
    names = [change.path.name for change in changes if change.path.parent == found.places.etc]
    of = {SECRET: "manager.conf", ARI_SECRET_FILE: "ari.conf"}
    names = [of.get(name, name) for name in names]
    return tuple(dict.fromkeys(
        command for start, command in RELOADS.items()
        if any(name.startswith(start) for name in names)
    ))  # fmt: skip


def removal(found: Found) -> Plan:
    """Return the changes that remove what earlier runs wrote, and nothing else.

    Files that were changed since then stay, as do the journal and the backups.
    """
    first, later, notes = [], [], []
    for name, text in found.tree.items():
        rest = conf_parser.without_block(text)
        if rest != text:
            path = found.places.etc / name
            # A file that was made for our lines alone goes with them.
            after = None if not rest and str(path) in found.manifest else rest
            first.append(Change(path, text, after, Owner.ASTERISK, "our lines"))
    for name, hashed in found.manifest.items():
        path = PurePosixPath(name)
        there = found.text(path)
        if there is None or conf_parser.BEGIN in there:
            continue
        if fingerprint(there) == hashed:
            owner = Owner.SECRET if path.parent == found.places.credentials else Owner.ROOT
            later.append(Change(path, there, None, owner, "a file of ours"))
        else:
            notes.append(f"{path} was changed since and stays: see whether you need it")
    changes = [*first, *later]
    listed = found.text(found.places.manifest)
    if listed is not None:
        changes.append(Change(found.places.manifest, listed, None, Owner.SECRET, "the list"))
    if found.places.unit in {change.path for change in later}:
        notes.append("first of all: systemctl disable --now offrecord, while its unit is there")
    return Plan(tuple(changes), tuple(notes), reload=_reloads(found, changes))


def kept_ari_secret(found: Found) -> str | None:
    """Return the ARI secret of an earlier run."""
    text = found.text(found.places.credentials / ARI_SECRET)
    return text.strip() or None if text is not None else None


def kept_secret(found: Found) -> str | None:
    """Return the AMI secret of an earlier run or of a manual set-up."""
    text = found.text(found.places.credentials / AMI_SECRET)
    if text is not None and text.strip():
        return text.strip()
    lines = conf_parser.lines({SECRET: f"[x]\n{found.tree.get(SECRET, '')}"}, SECRET)
    return next((line.value for line in lines if line.key == "secret" and line.value), None)


def usual(found: Found) -> Answers:
    """Return the answers of an earlier run, else defaults that fit the PBX."""
    tree = parsed(found)
    folder = str(found.places.etc)
    codes = dict(feature_codes.shipped().codes)
    others = feature_codes.in_play(found.tree, folder)
    if found.layout is Layout.FREEPBX and feature_codes.clashes(codes, others):
        codes = feature_codes.free_codes(list(codes), others) or codes
    codes |= {verb: one.code for verb, one in feature_codes.by_hand(found.tree, folder).items()}
    codes = {**codes, **feature_codes.of_init(found.tree, folder)}
    return Answers(
        layout=found.layout,
        codes=codes,
        technology=_technology(found),
        account=str(_at(tree, "ami", "username") or "offrecord"),
        agi=f"{_at(tree, 'agi', 'host') or '127.0.0.1'}:{_at(tree, 'agi', 'port') or 4573}",
        move=True if _moved(found) else None,
        phones=_phones(found),
        trunks=tuple(map(str, _at(tree, "extensions", "trunks") or ())),
        noojee=_noojee(tree),
        ari=found.text(found.places.credentials / ARI_SECRET) is not None,
        unit=_unit(found, tree),
    )


def _unit(found: Found, tree: Mapping[str, Any]) -> bool:
    """Return whether systemd starts the daemon: as in an earlier run, else where installed."""
    secret = _at(tree, "ami", "secret")
    if isinstance(secret, Mapping):
        return str(secret.get("file", "")).startswith("$CREDENTIALS_DIRECTORY")
    return found.has_systemd


def _at(tree: Mapping[str, Any], section: str, key: str) -> Any:
    table = tree.get(section)
    return table.get(key) if isinstance(table, Mapping) else None


def _moved(found: Found) -> bool:
    """Return whether an earlier run changed Asterisk's own codes."""
    text = found.tree.get(feature_codes.OWN_FILE, "")
    return any(re.search(rf"^{name} =", text, re.MULTILINE)
               for _, name in feature_codes.shipped().moved)  # fmt: skip


def _technology(found: Found) -> str:
    text = found.tree.get(DIALPLAN, "")
    dialled = re.search(r"Dial\((PJSIP|SIP)/", text)
    return dialled[1] if dialled else found.technology


def _phones(found: Found) -> str | None:
    text = found.tree.get(DIALPLAN)
    if text is None:
        return "_4XX"
    pattern = re.search(r"^\[offrecord-phones\]\nexten => ([^,]+),", text, re.MULTILINE)
    return pattern[1] if pattern else None


def _noojee(tree: dict[str, Any]) -> NoojeeAnswers | None:
    name = recorder(tree, "noojee")
    if name is None:
        return None
    table = tree["recorders"][name]
    return NoojeeAnswers(
        str(table.get("url", "")), str(table.get("agent_login", "")),
        str(table.get("auth", "api_key")), table.get("ca_file"),
    )  # fmt: skip
