# SPDX-License-Identifier: Apache-2.0
"""The changes in Asterisk's folder: account, codes, dialplan. Pure.

FreePBX and Issabel make `manager.conf`, `features.conf`, `extensions.conf` and every
`*_additional.conf` themselves, and include `*_custom.conf` files that they leave alone. Their
names and order are those of FreePBX's own sources: `core/etc/features.conf`,
`core/etc/extensions.conf`, `framework/amp_conf/astetc/manager.conf` and `generateConf` of
`framework/amp_conf/htdocs/admin/libraries/extensions.class.php`, which ends the globals with
`globals_custom.conf`. `core/functions.inc.php` names its own codes in the global
DYNAMIC_FEATURES, which counts for every channel without a variable of that name.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from bridges.model import Verb
from offrecord.asterisk_files import conf_parser, feature_codes
from offrecord.asterisk_files.conf_parser import with_block
from offrecord.asterisk_files.feature_codes import OWN_FILE, PREFIX
from offrecord.asterisk_files.shipped import snippet
from offrecord.base.errors import UserError
from offrecord.setup.answers import Answers, Found, Layout, Secrets
from offrecord.setup.changes import Change, Owner, fingerprint, problem

ACCOUNT: Final = "manager-offrecord.conf"
SECRET: Final = "offrecord-secret.conf"  # noqa: S105 - a file's name
DIALPLAN: Final = "extensions-offrecord.conf"
_HEAD: Final = "; offrecord: {what} Made by `offrecord init`: run it again to change this.\n"
_NO_AUTOMON: Final = (21,)
_TRUE: Final = frozenset({"yes", "true", "y", "t", "1", "on"})
_CUSTOM: Final = {
    "manager.conf": "manager_custom.conf",
    "ari.conf": "ari_additional_custom.conf",
    "general": "features_general_custom.conf",
    "applicationmap": "features_applicationmap_custom.conf",
    "globals": "globals_custom.conf",
}


class PbxPlan:
    """Collects the changes of one PBX."""

    def __init__(self, found: Found, answers: Answers, secrets: Secrets) -> None:
        self._found = found
        self._answers = answers
        self._secrets = secrets
        self._folder = str(found.places.etc)
        self.changes: list[Change] = []
        self.problems: list[UserError] = []
        self.notes: list[str] = []
        self._enable: str | None = None

    def make(self) -> None:
        """Plan all changes. Included files come before the files that include them."""
        self._account()
        self._codes()
        self._dialplan()

    def put(self, name: str, after: str, why: str, owner: Owner = Owner.ASTERISK) -> bool:
        """Plan one file; return whether it changes."""
        path = self._found.places.etc / name
        before = self._found.tree.get(name)
        if before == after and not (owner.secret and path in self._found.loose):
            return False
        if self._edited(path, before, after) and not (owner.secret or self._answers.overwrite):
            self.notes.append(f"{path} was changed by hand and stays as it is; "
                              "--overwrite writes it again")  # fmt: skip
            return False
        self.changes.append(Change(path, before, after, owner, why))
        return True

    def _edited(self, path: PurePosixPath, before: str | None, after: str) -> bool:
        """Return whether a file of ours was changed since an earlier run wrote it."""
        if before is None or conf_parser.BEGIN in after:
            return False
        return self._found.manifest.get(str(path)) != fingerprint(before)

    # the account

    def _account(self) -> None:
        name = self._answers.account
        if not self._enabled() or not self._no_other_account(name):
            return
        secret = f"secret = {self._secrets.ami.reveal()}\n"
        self.put(SECRET, secret, "the secret of the AMI account", Owner.ASTERISK_SECRET)
        text = snippet(ACCOUNT).replace("[offrecord]", f"[{name}]")
        self.put(ACCOUNT, text, f"the AMI account [{name}], with no more rights than it uses")
        self.included("manager.conf", ACCOUNT, "includes the account")

    def _enabled(self) -> bool:
        """Plan to enable AMI; False where another tool decides that."""
        tree, plain = self._found.tree, self._answers.layout is Layout.PLAIN
        if "manager.conf" not in tree:
            self.problems.append(problem(
                f"{self._folder}/manager.conf is not there",
                "install Asterisk's configuration, or name its folder by --asterisk-etc",
            ))  # fmt: skip
            return False
        general = {
            line.key: line.value
            for line in conf_parser.lines(tree, "manager.conf", self._folder)
            if line.section == "general"
        }
        if general.get("enabled", "no").lower() in _TRUE:
            return True
        if not plain:
            self.problems.append(problem(
                f"AMI is off in {self._folder}/manager.conf, which the PBX makes itself",
                "switch it on in the PBX's own pages",
            ))  # fmt: skip
            return False
        body = "enabled = yes" + ("" if "bindaddr" in general else "\nbindaddr = 127.0.0.1")
        self._enable = body
        self.notes.append("AMI was off: it is switched on, on 127.0.0.1 unless manager.conf "
                          "says otherwise")  # fmt: skip
        return True

    def _no_other_account(self, name: str) -> bool:
        kept = {one: text for one, text in self._found.tree.items() if one != ACCOUNT}
        place = conf_parser.sections(kept, "manager.conf", self._folder).get(name)
        if place is not None:
            self.problems.append(problem(
                f"{self._folder}/{place} has an account [{name}] already",
                "take it out, or give ours another name by --account",
            ))  # fmt: skip
        return place is None

    def included(self, parent: str, name: str, why: str) -> None:
        """Plan to include `name` from `parent`, or from its custom file under FreePBX."""
        line = f'#include "{name}"'
        if self._answers.layout is Layout.FREEPBX:
            self._custom(parent, parent, line, why)
            return
        text = self._found.tree.get(parent, "")
        if parent == "manager.conf" and self._enable is not None:
            text = with_block(text, "enabled", self._enable, "general")
        if name not in conf_parser.includes(
            {parent: conf_parser.without_block(text)}, parent, self._folder
        ):
            text = with_block(text, "include", line)
        self.put(parent, text, why)

    # the codes

    def _codes(self) -> None:
        answers, tree = self._answers, self._found.tree
        hand = feature_codes.by_hand(tree, self._folder)
        if hand and self._by_hand(hand):
            return
        others = feature_codes.in_play(tree, self._folder)
        self._no_automon(others)
        moves: dict[tuple[str, str], str] = {}
        found = feature_codes.clashes(answers.codes, others)
        movable = answers.layout is Layout.PLAIN and answers.move is not False
        if found and movable and (answers.move or not any(c.other.place for c in found)):
            moves, found = feature_codes.moved_away(answers.codes, others)
        if found:
            self._refuse(found, others)
            return
        if answers.layout is Layout.FREEPBX:
            self._freepbx_codes()
        else:
            self._plain_codes(moves, others)

    def _no_automon(self, others: Sequence[feature_codes.Code]) -> None:
        """Report a line that newer versions of Asterisk reject together with all codes."""
        gone = [o for o in others if o.name == "automon" and o.section == "featuremap"]
        if gone and self._found.version >= _NO_AUTOMON:
            self.problems.append(problem(
                f"{self._folder}/{gone[0].place} has automon, which Asterisk 21 and newer do not "
                "know: they then read no code of features.conf at all",
                "take that line out",
            ))  # fmt: skip

    def _by_hand(self, hand: dict[Verb, feature_codes.Code]) -> bool:
        """Handle our codes where the site defines them; return whether they are the wanted ones."""
        differ = [code for verb, code in hand.items() if self._answers.codes.get(verb) != code.code]
        self.problems += [
            problem(
                f"{self._folder}/{code.place} has {code.name} on {code.code}, written by hand",
                f"take the lines {PREFIX}* out of that file, or keep the code by "
                f"--code {code.name.removeprefix(PREFIX)}={code.code}",
            )
            for code in differ
        ]
        if not differ:
            first = next(iter(hand.values()))
            self.notes.append(f"the codes stand in {first.place} already, written by hand")
        return True

    def _refuse(
        self, found: Sequence[feature_codes.Clash], others: Sequence[feature_codes.Code]
    ) -> None:
        plain, ways = self._answers.layout is Layout.PLAIN, list[str]()
        kept = feature_codes.chosen(others) if plain and self._answers.move is not False else others
        free = feature_codes.free_codes(list(self._answers.codes), kept)
        if plain and self._answers.move is not True:
            _, left = feature_codes.moved_away(self._answers.codes, others)
            ways += [] if left else ["move Asterisk's codes away by --move-codes"]
        if free:
            ways.append("take " + " ".join(f"--code {v.value}={c}" for v, c in free.items()))
        fix = ", or ".join(ways) or "give codes that nothing else begins with by --code VERB=CODE"
        self.problems += [problem(str(clash), fix) for clash in found]

    def _applications(self) -> Iterator[str]:
        lines = feature_codes.shipped().applications
        for verb, code in self._answers.codes.items():
            yield f"{PREFIX}{verb.value} => {code},{lines[verb]}"

    def _plain_codes(
        self, moves: dict[tuple[str, str], str], others: Sequence[feature_codes.Code]
    ) -> None:
        timeout = feature_codes.shipped().digit_timeout
        text = _HEAD.format(what="the codes an agent presses during a call.")
        general = [f"{name} = {code}" for (at, name), code in moves.items() if at == "general"]
        if feature_codes.digit_timeout(self._found.tree, self._folder) < timeout:
            general.insert(0, f"featuredigittimeout = {timeout}")
        featuremap = [
            f"{name} = {code}" for (at, name), code in moves.items() if at == "featuremap"
        ]
        group = [f"{PREFIX}{verb.value} =>" for verb in self._answers.codes]
        for section, rows in (
            ("general", general), ("featuremap", featuremap),
            ("applicationmap", list(self._applications())), ("offrecord", group),
        ):  # fmt: skip
            if rows:
                text += f"\n[{section}]\n" + "".join(f"{row}\n" for row in rows)
        codes = ", ".join(f"{code} {verb.value}" for verb, code in self._answers.codes.items())
        if self.put(OWN_FILE, text, f"the codes {codes}"):
            was = {(other.section, other.name): other.code for other in others}
            self.notes += [f"{name} moves from {was[section, name]} to {code}"
                           for (section, name), code in moves.items()]  # fmt: skip
        self.included("features.conf", OWN_FILE, "includes the codes")

    def _freepbx_codes(self) -> None:
        timeout = feature_codes.shipped().digit_timeout
        if feature_codes.digit_timeout(self._found.tree, self._folder) < timeout:
            self._custom(
                "features.conf", "general", f"featuredigittimeout = {timeout}",
                "two seconds between digits",
            )  # fmt: skip
        self._custom("features.conf", "applicationmap", "\n".join(self._applications()),
                     "the codes")  # fmt: skip

    # the dialplan

    def _dialplan(self) -> None:
        if self._answers.layout is Layout.FREEPBX:
            self._freepbx_globals()
            return
        kept = {name: text for name, text in self._found.tree.items() if name != DIALPLAN}
        there = conf_parser.sections(kept, "extensions.conf", self._folder)
        text = snippet(f"extensions-{self._answers.technology.lower()}.conf")
        phones = self._answers.phones
        if phones is not None and "offrecord-phones" in there:
            self.notes.append(f"the contexts of the snippet stand in {there['offrecord-phones']}")
            phones = None
        text = text.replace("127.0.0.1:4573", self._answers.agi)
        globals_, _, contexts = text.partition("[globals]\n")[2].partition("\n\n")
        contexts = "\n" + contexts.replace("_4XX", phones) if phones else ""
        head = _HEAD.format(what="where the daemon listens, and recorded calls.")
        self.put(DIALPLAN, f"{head}\n[globals]\n{globals_}\n{contexts}", "the dialplan")
        self.included("extensions.conf", DIALPLAN, "includes the dialplan")

    def _freepbx_globals(self) -> None:
        tree = {name: conf_parser.without_block(text) for name, text in self._found.tree.items()}
        before = any(
            line.section == "globals" and line.key == "DYNAMIC_FEATURES"
            for line in conf_parser.lines(tree, "extensions.conf", self._folder)
        )
        names = "#".join(f"{PREFIX}{verb.value}" for verb in self._answers.codes)
        # Asterisk puts in the value of the lines above, so FreePBX's own codes stay, whatever
        # they become. Without such a line the value would grow with every reload.
        value = "${DYNAMIC_FEATURES}#" + names if before else names
        body = f"OFFRECORD_AGI = {self._answers.agi}\nDYNAMIC_FEATURES = {value}"
        self._custom("extensions.conf", "globals", body, "where the daemon listens, and the codes")
        if before:
            self._last_word(value)

    def _last_word(self, value: str) -> None:
        tree = dict(self._found.tree)
        for change in self.changes:
            tree[change.path.name] = change.after or ""
        last = [
            line
            for line in conf_parser.lines(tree, "extensions.conf", self._folder)
            if line.section == "globals" and line.key == "DYNAMIC_FEATURES"
        ]
        if last and last[-1].value != value:
            self.problems.append(problem(
                f"{self._folder}/{last[-1].place} sets DYNAMIC_FEATURES after "
                f"{_CUSTOM['globals']}, so the codes would count on no channel",
                "have the PBX write its files again (fwconsole reload), and run init again",
            ))  # fmt: skip

    def _custom(self, parent: str, what: str, body: str, why: str) -> None:
        """Plan lines in the `_custom.conf` file that `parent` includes for `what`."""
        name, tree = _CUSTOM[what], self._found.tree
        reached = set(_reached(tree, parent, self._folder))
        if name not in reached:
            self.problems.append(problem(
                f"{self._folder}/{parent} does not include {name}, so lines there would do nothing",
                "have the PBX write its files again (fwconsole reload), or give --pbx plain",
            ))  # fmt: skip
            return
        self.put(name, with_block(tree.get(name, ""), "lines", body), why)


def _reached(tree: conf_parser.Tree, name: str, folder: str) -> Iterator[str]:
    """Yield the files that a file includes, at any depth, existing or not."""
    for one in conf_parser.includes(tree, name, folder):
        yield one
        yield from _reached(tree, one, folder)
