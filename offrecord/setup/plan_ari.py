# SPDX-License-Identifier: Apache-2.0
"""The changes for an ARI account: `ari.conf`, `http.conf`, and our keys of `[ari]`. Pure.

FreePBX makes `ari.conf` and `http.conf` itself and includes `ari_additional_custom.conf`; its own
pages switch ARI on.
"""

from typing import Final

from offrecord.asterisk_files import conf_parser
from offrecord.asterisk_files.conf_parser import with_block
from offrecord.asterisk_files.shipped import snippet
from offrecord.base.secrets import Secret
from offrecord.setup.answers import Answers, Found, Layout
from offrecord.setup.changes import Owner, problem
from offrecord.setup.plan_pbx import PbxPlan
from offrecord.setup.toml_edit import Keys

ACCOUNT: Final = "ari-offrecord.conf"
SECRET: Final = "offrecord-ari-secret.conf"  # noqa: S105 - a file's name
USER: Final = "offrecord"
RISK: Final = (
    "the ARI account can place calls, listen to them and hang up, as ARI knows no smaller right; "
    "init --remove takes it back"
)
_TRUE: Final = frozenset({"yes", "true", "y", "t", "1", "on"})
_LOOPBACK: Final = ("127.", "::1", "[::1]", "localhost")


def plan_ari(pbx: PbxPlan, found: Found, answers: Answers, secret: Secret) -> None:
    """Plan a user of our own in `ari.conf`, and ARI switched on; report what stands against it."""
    tree, folder = found.tree, str(found.places.etc)
    kept = {one: text for one, text in tree.items() if one != ACCOUNT}
    place = conf_parser.sections(kept, "ari.conf", folder).get(USER)
    if place is not None:
        pbx.problems.append(problem(
            f"{folder}/{place} has an ARI user [{USER}] already, and a site's own is not used",
            "take it out, or leave ARI by --no-ari",
        ))  # fmt: skip
        return
    if not _served(pbx, found, answers) or not _enabled(pbx, found, answers):
        return
    pbx.put(SECRET, f"password = {secret.reveal()}\n", "the secret of the ARI account",
            Owner.ASTERISK_SECRET)  # fmt: skip
    why = f"the ARI account [{USER}], which can place calls"
    if pbx.put(ACCOUNT, snippet(ACCOUNT), why):
        pbx.notes.append(RISK)
    pbx.included("ari.conf", ACCOUNT, "includes the ARI account")


def ari_keys(found: Found, reference: dict[str, str]) -> Keys:
    """Return the keys of `[ari]` for the account; `reference` names its secret."""
    general = _general(found, "http.conf")
    port, prefix = general.get("bindport", ""), general.get("prefix", "").strip("/")
    port = port if port.isdigit() else "8088"
    keys: dict[tuple[str, str], object] = {
        ("ari", "username"): USER,
        ("ari", "secret"): reference,
    }
    if port != "8088" or prefix:
        keys["ari", "url"] = f"http://127.0.0.1:{port}" + (f"/{prefix}" if prefix else "")
    return keys


def _general(found: Found, name: str) -> dict[str, str]:
    return {
        line.key: line.value
        for line in conf_parser.lines(found.tree, name, str(found.places.etc))
        if line.section == "general"
    }


def _served(pbx: PbxPlan, found: Found, answers: Answers) -> bool:
    """Plan to switch the HTTP server on, on loopback; return False where it cannot be."""
    general, path = _general(found, "http.conf"), f"{found.places.etc}/http.conf"
    if general.get("enabled", "no").lower() in _TRUE:
        address = general.get("bindaddr", "")
        if address.startswith(_LOOPBACK):
            return True
        pbx.problems.append(problem(
            f"{path} has the HTTP server listen on {address or 'every address'} without TLS, where "
            "an account that can place calls must not be",
            "set bindaddr = 127.0.0.1 there, or leave ARI by --no-ari",
        ))  # fmt: skip
        return False
    if answers.layout is Layout.FREEPBX:
        pbx.problems.append(problem(
            f"the HTTP server is off in {path}, which the PBX makes itself",
            "switch it on in the PBX's own pages, on 127.0.0.1, or leave ARI by --no-ari",
        ))  # fmt: skip
        return False
    body, before = "enabled = yes\nbindaddr = 127.0.0.1", found.tree.get("http.conf", "")
    if "[general]" in before:
        text = with_block(before, "enabled", body, "general")
    else:
        text = with_block(before, "enabled", f"[general]\n{body}")
    pbx.put("http.conf", text, "switches the HTTP server on, on 127.0.0.1")
    return True


def _enabled(pbx: PbxPlan, found: Found, answers: Answers) -> bool:
    """Plan to switch ARI on where it is off; return False where it cannot be."""
    if _general(found, "ari.conf").get("enabled", "yes").lower() in _TRUE:
        return True
    path = f"{found.places.etc}/ari.conf"
    if answers.layout is Layout.FREEPBX:
        pbx.problems.append(problem(
            f"ARI is off in {path}, which the PBX makes itself",
            "switch it on in the PBX's own pages, or leave ARI by --no-ari",
        ))  # fmt: skip
        return False
    pbx.problems.append(
        problem(f"ARI is off in {path}", "set enabled = yes there, or leave ARI by --no-ari")
    )
    return False
