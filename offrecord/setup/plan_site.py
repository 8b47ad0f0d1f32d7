# SPDX-License-Identifier: Apache-2.0
"""The changes outside Asterisk's folder: configuration, secrets, unit. Pure."""

import json
import re
import tomllib
from pathlib import PurePosixPath
from typing import Any, Final

from bridges.registry import kind_now
from offrecord.asterisk_files import conf_parser
from offrecord.asterisk_files.shipped import unit
from offrecord.base.errors import UserError
from offrecord.setup.answers import CONFIG, Answers, Found, Layout, NoojeeAnswers, Secrets
from offrecord.setup.changes import Change, Owner, fingerprint, problem
from offrecord.setup.plan_ari import ari_keys
from offrecord.setup.toml_edit import Keys, Unreachable, value_of, with_keys

_HEAD: Final = (
    "# offrecord beside Asterisk, made by `offrecord init`. Every key: docs/configuration.md\n\n"
)
_SPY = re.compile(r"\b(?:Chan|Exten)Spy\(", re.IGNORECASE)
_OURS: Final = "offrecord-tell"
"""The context of our own late tones, which whisper by ChanSpy."""
_CREDENTIAL = re.compile(r"^LoadCredential=(\S+?):(\S+)$", re.MULTILINE)
_GROUP: Final = "Group=offrecord\n"
AMI_SECRET: Final = "ami.secret"  # noqa: S105 - a file's name
ARI_SECRET: Final = "ari.secret"  # noqa: S105 - same
NOOJEE_KEY: Final = "noojee.key"


def site_changes(
    found: Found, answers: Answers, secrets: Secrets
) -> tuple[list[Change], list[UserError]]:
    """Return the changes outside Asterisk's folder, and the problems that stop them."""
    changes = _secrets(found, secrets)
    text = found.text(found.places.config)
    try:
        after = with_keys(_HEAD if text is None else text, config_keys(found, answers))
        changes += _changed(found, found.places.config, after, Owner.ROOT, "the configuration")
    except tomllib.TOMLDecodeError as error:
        return [], [problem(f"{found.places.config} is no TOML: {error}", "mend that line")]
    except Unreachable as error:
        fix = "write it there by hand, each key on a line of its own"
        return [], [problem(f"{found.places.config}: {error}", fix)]
    if answers.unit:
        changes += _unit(found, answers)
    return changes, []


def _changed(found: Found, path: PurePosixPath, after: str, owner: Owner, why: str) -> list[Change]:
    before = found.text(path)
    if before == after and not (owner.secret and path in found.loose):
        return []
    return [Change(path, before, after, owner, why)]


def _secrets(found: Found, secrets: Secrets) -> list[Change]:
    folder = found.places.credentials
    changes = _changed(found, folder / AMI_SECRET, f"{secrets.ami.reveal()}\n", Owner.SECRET,
                       "the secret of the AMI account, for the daemon")  # fmt: skip
    if secrets.ari is not None:
        changes += _changed(found, folder / ARI_SECRET, f"{secrets.ari.reveal()}\n", Owner.SECRET,
                            "the secret of the ARI account, for the daemon")  # fmt: skip
    key = secrets.noojee_key
    after = f"{key.reveal()}\n" if key is not None else found.text(folder / NOOJEE_KEY)
    if after is not None:
        changes += _changed(found, folder / NOOJEE_KEY, after, Owner.SECRET, "Noojee's API key")
    return changes


# the configuration


def config_keys(found: Found, answers: Answers) -> Keys:
    """Return the keys of the configuration that the answers set."""
    tree = parsed(found)
    host, _, port = answers.agi.rpartition(":")
    keys: dict[tuple[str, str], object] = {
        ("ami", "username"): answers.account,
        ("ami", "secret"): _reference(found, answers, AMI_SECRET),
    }
    there = value_of(tree, "ami", "port")
    pbx_port = ami_port(found)
    # Another host or port in the configuration is somebody's decision: TLS, or another machine.
    if pbx_port != 5038 and there is None and value_of(tree, "ami", "host") is None:
        keys["ami", "port"] = pbx_port
    for key, value, default in (("host", host, "127.0.0.1"), ("port", int(port), 4573)):
        if value != default or value_of(tree, "agi", key) is not None:
            keys["agi", key] = value
    if answers.trunks:
        keys["extensions", "trunks"] = list(answers.trunks)
    if recorder(tree, "asterisk") is None:
        keys["recorders.local", "kind"] = "asterisk"
    if answers.ari:
        keys |= ari_keys(found, _reference(found, answers, ARI_SECRET))
    if answers.noojee is not None:
        keys |= _noojee(found, answers, answers.noojee, tree)
    return keys


def _noojee(
    found: Found, answers: Answers, noojee: NoojeeAnswers, tree: dict[str, Any]
) -> dict[tuple[str, str], object]:
    at = f"recorders.{recorder(tree, 'noojee') or 'noojee'}"
    keys: dict[tuple[str, str], object] = {
        (at, "kind"): "noojee",
        (at, "url"): noojee.url,
        (at, "api_key"): _reference(found, answers, NOOJEE_KEY),
        (at, "agent_login"): noojee.agent_login,
    }
    if noojee.auth != "api_key" or value_of(tree, at, "auth") is not None:
        keys[at, "auth"] = noojee.auth
    if noojee.ca_file is not None:
        keys[at, "ca_file"] = noojee.ca_file
    return keys


def _reference(found: Found, answers: Answers, name: str) -> dict[str, str]:
    """Return the configuration's reference to a secret: a credential of systemd, or a path."""
    folder = "$CREDENTIALS_DIRECTORY" if answers.unit else str(found.places.credentials)
    return {"file": f"{folder}/{name}"}


def parsed(found: Found) -> dict[str, Any]:
    """Return the present configuration, empty where none can be read."""
    try:
        return tomllib.loads(found.text(found.places.config) or "")
    except tomllib.TOMLDecodeError:
        return {}


def recorder(tree: dict[str, Any], kind: str) -> str | None:
    """Return the name of the first recorder of a kind."""
    tables = tree.get("recorders")
    if not isinstance(tables, dict):
        return None
    return next(
        (
            name
            for name, one in tables.items()
            if isinstance(one, dict) and kind_now(str(one.get("kind"))) == kind
        ),
        None,
    )


def ami_port(found: Found) -> int:
    """Return the port of AMI without TLS, from manager.conf."""
    ports = [
        line.value
        for line in conf_parser.lines(found.tree, "manager.conf", str(found.places.etc))
        if line.section == "general" and line.key == "port" and line.value.isdigit()
    ]
    return int(ports[-1]) if ports else 5038


# the systemd unit


def _unit(found: Found, answers: Answers) -> list[Change]:
    needed = [AMI_SECRET, *([ARI_SECRET] if answers.ari else [])]
    key = found.places.credentials / NOOJEE_KEY
    if answers.noojee is not None or found.text(key) is not None:
        needed.append(NOOJEE_KEY)
    lines = [f"LoadCredential={name}:{found.places.credentials / name}" for name in needed]
    if found.packaged_unit is None:
        path = found.places.unit
        text, there = unit(), found.text(path)
        if there is not None and found.manifest.get(str(path)) != fingerprint(there):
            text = there  # somebody's own: only its secrets are ours to change
        else:
            run = f"{found.program} run"
            if found.places.config != CONFIG:
                run += f" --config {found.places.config}"
            text = text.replace("/opt/offrecord/bin/offrecord run", run)
            for row in _groups(found):
                text = text.replace(_GROUP, f"{_GROUP}{row}\n")
        return _changed(found, path, _credentials(text, lines), Owner.ROOT, "the systemd unit")
    groups = _groups(found)
    if not groups and [f"LoadCredential={name}:{path}" for name, path in
                       _CREDENTIAL.findall(found.packaged_unit)] == lines:  # fmt: skip
        return []
    rows = ["# Made by `offrecord init`: the secrets that this site has.", "[Service]",
            "LoadCredential=", *lines, *groups]  # fmt: skip
    return _changed(found, found.places.drop_in, "".join(f"{row}\n" for row in rows), Owner.ROOT,
                    "the secrets of the packaged systemd unit")  # fmt: skip


def _groups(found: Found) -> list[str]:
    """Return the line that lets the daemon read the recordings, where it needs one."""
    return [f"SupplementaryGroups={found.spool_group}"] if found.spool_group else []


def _credentials(text: str, lines: list[str]) -> str:
    """Return a unit with its `LoadCredential=` lines replaced by these secrets."""
    rows = text.splitlines()
    old = [n for n, row in enumerate(rows) if row.startswith("LoadCredential=")]
    first = old[0] if old else rows.index("[Service]") + 1 if "[Service]" in rows else len(rows)
    kept = [row for row in rows[first:] if not row.startswith("LoadCredential=")]
    return "\n".join([*rows[:first], *lines, *kept]) + "\n"


# what was written


def manifest(found: Found, changes: list[Change]) -> list[Change]:
    """Return the change of the list of files that `--remove` may delete."""
    known = dict(found.manifest)
    for change in changes:
        if change.after is None:
            known.pop(str(change.path), None)
        elif change.before is None or str(change.path) in known:
            known[str(change.path)] = fingerprint(change.after)
    if known == dict(found.manifest):
        return []
    before = found.text(found.places.manifest)
    if not known:
        return [Change(found.places.manifest, before, None, Owner.SECRET, "the list of these")]
    text = json.dumps({"version": 1, "files": known}, indent=2) + "\n"
    return [Change(found.places.manifest, before, text, Owner.SECRET,
                   "the list of what init wrote, for --remove")]  # fmt: skip


def next_steps(found: Found, answers: Answers) -> list[str]:
    """Return the manual steps after the files are written, as commands and sentences."""
    steps: list[str] = []
    if answers.unit:
        if not found.has_user:
            steps.append("adduser --system --group --no-create-home "
                         "--home /var/lib/offrecord offrecord")  # fmt: skip
        steps += [
            f"CREDENTIALS_DIRECTORY={found.places.credentials} offrecord check",
            "systemctl enable --now offrecord",
        ]
    elif answers.layout is Layout.PLAIN:
        steps.append("offrecord check")
    return steps


def listening(found: Found) -> list[str]:
    """Return how to name the listening of supervisors, where the dialplan has it."""
    said = conf_parser.lines(found.tree, "extensions.conf", str(found.places.etc))
    spying = {line.section for line in said if _SPY.search(line.value)} - {_OURS}
    if not spying or parsed(found).get("taps"):
        return []
    named = f"[taps] contexts = {json.dumps(sorted(spying))}"
    note = (
        "the dialplan has ChanSpy: a stop of a call that somebody listens to is failed, unless you"
        f" answer for them in {found.places.config}, as {named}; name only what records nothing"
    )
    return [note]
