# SPDX-License-Identifier: Apache-2.0
"""`check` on broken set-ups of real Asterisks: each is found, and the printed fix mends it."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tomlkit import dumps

from lab.pbx_with_phones import AMI_SECRET, PbxWithPhones
from offrecord.asterisk_files.conf_parser import lines
from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, State
from offrecord.checks.inputs import Places
from offrecord.checks.run import check
from offrecord.config import load

PUT = re.compile(r"put `(\S+) = (.+?)` into \[(.+?)\] of (\S+), then asterisk -rx '([^']+)'")
RELOAD = re.compile(r"asterisk -rx '([^']+)'")


@dataclass
class Broken:
    """A site on a real Asterisk, whose files are put back at the end."""

    asterisks: PbxWithPhones
    folder: Path
    tables: dict[str, Any]

    @property
    def etc(self) -> Path:
        return self.asterisks.pbx.root / "etc"

    def text(self, name: str) -> str:
        return (self.etc / name).read_text()

    def write(self, name: str, text: str, reload: str = "") -> None:
        self.asterisks.pbx.write_file(name, text)
        if reload:
            self.asterisks.pbx.console(reload)

    def swap(self, name: str, old: str, new: str, reload: str = "") -> None:
        text = self.text(name)
        assert old in text, (name, old)
        self.write(name, text.replace(old, new), reload)

    def secret(self, name: str, value: str) -> dict[str, str]:
        path = self.folder / name
        path.write_text(value + "\n")
        path.chmod(0o600)
        return {"file": str(path)}

    async def found(self, what: str) -> list[Finding]:
        """Check everything, and return what was found of one thing."""
        path = self.folder / "offrecord.toml"
        path.write_text(dumps(self.tables))
        every = await check(load(path, {}), Places(config=path, asterisk=self.etc))
        assert every
        return [one for one in every if one.what == what]

    def carry_out(self, fix: str) -> None:
        """Do what a fix says, by its own words: lines put into files, modes changed, reloads."""
        done = False
        for key, value, section, name, reload in PUT.findall(fix):
            self.put(name, section, key, value)
            self.asterisks.pbx.console(reload)
            done = True
        if not done:
            for command in RELOAD.findall(fix):
                self.asterisks.pbx.console(command)
                done = True
        if found := re.match(r"chmod (\S+) (\S+)", fix):
            subprocess.run(["chmod", found[1], found[2]], check=True)
            done = True
        assert done, fix

    def put(self, name: str, section: str, key: str, value: str) -> None:
        """Replace the line that counts, which may stand in a file that this one includes."""
        tree = {path.name: path.read_text() for path in self.etc.glob("*.conf")}
        same = [one for one in lines(tree, name, str(self.etc))
                if (one.section, one.key) == (section, key)]  # fmt: skip
        if same:
            rows = tree[same[-1].file].splitlines()
            rows[same[-1].number - 1] = f"{key} = {value}"
            self.write(same[-1].file, "\n".join(rows) + "\n")
        else:
            head = f"[{section}]"
            assert head in tree[name], (name, section)
            self.write(name, tree[name].replace(head, f"{head}\n{key} = {value}", 1))


def site_of(asterisks: PbxWithPhones, folder: Path) -> Broken:
    made = Broken(asterisks, folder, {})
    host, _, port = asterisks.fastagi.rpartition(":")
    made.tables = {
        "ami": {"port": asterisks.pbx.ami_port, "username": "offrecord",
                "secret": made.secret("ami.secret", AMI_SECRET)},
        "agi": {"host": host, "port": int(port)},
        "socket": {"path": str(folder / "none.sock")},
        "journal": {"path": str(folder / "journal.sqlite3")},
        "recorders": {"local": {"kind": "asterisk"}},
    }  # fmt: skip
    (made.etc / "offrecord-secret.conf").chmod(0o640)
    return made


@pytest.fixture
def on(
    pbx_of: Callable[[str, str], PbxWithPhones], tmp_path: Path
) -> Iterator[Callable[[str], Broken]]:
    """Return what makes a site of a release; its Asterisk's files are as before at the end."""
    kept: list[tuple[Broken, dict[str, str]]] = []

    def make(release: str) -> Broken:
        made = site_of(pbx_of(release, "features.conf"), tmp_path)
        kept.append((made, {path.name: path.read_text() for path in made.etc.glob("*.conf")}))
        return made

    yield make
    for made, files in kept:
        changed = [name for name, text in files.items() if made.text(name) != text]
        for name in changed:
            made.write(name, files[name])
        for command in ("module reload features", "dialplan reload", "manager reload",
                        "module reload res_pjsip.so", "sip reload"):  # fmt: skip
            if changed:
                made.asterisks.pbx.console(command)


def code_of_a_transfer(here: Broken) -> None:
    here.swap("features.conf", "atxferabort = #9\n", "", "module reload features")


def code_that_begins_ours(here: Broken) -> None:
    here.swap("features.conf", "disconnect = #0\n", "disconnect = *\n", "module reload features")


def two_codes_alike(here: Broken) -> None:
    here.swap("features.conf", "blindxfer = ##", "blindxfer = *2", "module reload features")


def fingers_too_slow(here: Broken) -> None:
    here.swap("features.conf", "featuredigittimeout = 2000", "featuredigittimeout = 500",
              "module reload features")  # fmt: skip


def not_read_again(here: Broken) -> None:
    here.swap("features.conf", "atxferswap = #6", "atxferswap = #66")


def codes_lead_astray(here: Broken) -> None:
    here.swap("extensions.conf", here.asterisks.fastagi, "127.0.0.1:4999", "dialplan reload")


def readable_secret(here: Broken) -> None:
    (here.folder / "ami.secret").chmod(0o644)


def readable_on_the_pbx(here: Broken) -> None:
    (here.etc / "offrecord-secret.conf").chmod(0o644)


def digits_as_tones(here: Broken) -> None:
    here.swap("pjsip.conf", "[411]\ntype=endpoint\ncontext=lab-phones\ndisallow=all\nallow=ulaw\n"
              "dtmf_mode=rfc4733", "[411]\ntype=endpoint\ncontext=lab-phones\ndisallow=all\n"
              "allow=ulaw\ndtmf_mode=inband", "module reload res_pjsip.so")  # fmt: skip


def tones_in_a_codec(here: Broken) -> None:
    here.swap("pjsip.conf", "[411]\ntype=endpoint\ncontext=lab-phones\ndisallow=all\nallow=ulaw\n"
              "dtmf_mode=rfc4733", "[411]\ntype=endpoint\ncontext=lab-phones\ndisallow=all\n"
              "allow=gsm\ndtmf_mode=inband", "module reload res_pjsip.so")  # fmt: skip


def past_the_pbx(here: Broken) -> None:
    here.tables["keypad"] = {"enabled": True}
    text = here.text("pjsip.conf").replace("direct_media=no", "direct_media=yes", 1)
    here.write("pjsip.conf", text, "module reload res_pjsip.so")


def digits_as_tones_by_chan_sip(here: Broken) -> None:
    here.swap("sip.conf", "[410]\n", "[410]\ndtmfmode=inband\n", "sip reload")


Breaking = Callable[[Broken], None]

BROKEN: dict[str, tuple[str, Breaking, str, State, tuple[str, ...]]] = {
    "atxferabort is *1, as nobody moved it": (
        "22", code_of_a_transfer, "codes", State.FAIL,
        ("stop on *1", "atxferabort is *1", "the default", "they are the same"),
    ),
    "the same on 16": (
        "16", code_of_a_transfer, "codes", State.FAIL, ("stop on *1", "atxferabort is *1"),
    ),
    "a bare * ends the call before the 1": (
        "22", code_that_begins_ours, "codes", State.FAIL, ("disconnect is *", "* fires before *1"),
    ),
    "two features with one code": (
        "22", two_codes_alike, "codes", State.FAIL, ("pause on *2", "blindxfer is *2"),
    ),
    "half a second between digits": (
        "16", fingers_too_slow, "codes", State.WARN, ("featuredigittimeout is 500 ms",),
    ),
    "a file that Asterisk did not take": (
        "22", not_read_again, "codes", State.FAIL, ("atxferswap = #66", "goes by #6", "ignore"),
    ),
    "the codes call another port": (
        "22", codes_lead_astray, "address", State.FAIL, ("port 4999", "stop, pause, resume"),
    ),
    "everyone can read the secret": (
        "22", readable_secret, "secrets", State.FAIL,
        ("ami.secret", "-rw-r--r--", "everyone on this machine"),
    ),
    "everyone can read it where Asterisk has it": (
        "22", readable_on_the_pbx, "secrets", State.FAIL, ("offrecord-secret.conf", "everyone"),
    ),
    "a phone sends tones": (
        "22", digits_as_tones, "phones", State.WARN, ("PJSIP/411", "as tones"),
    ),
    "a phone sends tones through a codec": (
        "22", tones_in_a_codec, "phones", State.FAIL, ("PJSIP/411", "codecs destroy"),
    ),
    "a phone of chan_sip sends tones": (
        "16", digits_as_tones_by_chan_sip, "phones", State.WARN, ("SIP/410", "as tones"),
    ),
    "phones speak past the PBX": (
        "22", past_the_pbx, "phones", State.WARN, ("PJSIP/410", "past the PBX", "[keypad]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
async def test_it_is_found_and_the_printed_fix_mends_it(
    on: Callable[[str], Broken], broken: str
) -> None:
    release, breaking, what, state, words = BROKEN[broken]
    here = on(release)
    breaking(here)
    [told, *more] = [one for one in await here.found(what) if one.state is not State.OK]

    assert not more
    assert told.state is state
    assert [word for word in words if word not in told.text] == [], told.text
    assert (told.exit is Exit.OK) == (state is State.WARN)

    here.carry_out(told.fix)
    mended = await here.found(what)

    assert mended
    assert {one.state for one in mended} == {State.OK}, mended


# what is mended by hand, as the fix says


async def test_a_call_without_the_codes_is_found(on: Callable[[str], Broken]) -> None:
    here = on("22")
    for path in here.etc.glob("*.conf"):
        text = path.read_text()
        if "DYNAMIC_FEATURES=" in text:
            here.write(path.name, text.replace("DYNAMIC_FEATURES=", "OTHER="))
    here.asterisks.pbx.console("dialplan reload")
    [told] = await here.found("dialplan")
    assert told.exit is Exit.PBX_SETUP
    assert "no call can fire a code" in told.text

    found = re.match(r"(Set\(\S+\)) before Dial or Queue, then asterisk -rx '([^']+)'", told.fix)
    assert found
    old = "exten => _7XX,1,Dial("
    here.swap("extensions.conf", old, f"exten => _7XX,1,{found[1]}\n same => n,Dial(", found[2])
    [mended] = await here.found("dialplan")

    assert mended.state is State.OK
    assert "[lab-phones]" in mended.text


async def test_a_group_that_is_not_there_is_found(on: Callable[[str], Broken]) -> None:
    here = on("22")
    here.swap("features.conf", "[offrecord]\n", "[ofrecord]\n", "module reload features")
    told = await here.found("dialplan")

    assert {one.state for one in told} == {State.FAIL}
    assert "neither a section nor a code" in told[0].text


async def test_privileges_are_weighed_and_the_line_mends_them(on: Callable[[str], Broken]) -> None:
    here = on("22")
    account = here.text("manager-offrecord.conf")
    [line] = re.findall(r"^write = .*$", account, re.MULTILINE)

    async def with_line(wanted: str) -> list[Finding]:
        here.write("manager-offrecord.conf", account.replace(line, wanted), "manager reload")
        return [one for one in await here.found("privileges") if one.state is not State.OK]

    [missing] = await with_line("write = call")
    assert missing.exit is Exit.PBX_PRIVILEGES
    assert "write=reporting" in missing.text
    fixed = missing.fix.removeprefix("in manager.conf: ")

    [much] = await with_line("write = call,reporting,originate")
    assert (much.state, much.exit) == (State.WARN, Exit.OK)
    assert "originate is more than is used" in much.text
    assert "take originate out" in much.fix

    assert await with_line(fixed) == []


async def test_a_wrong_secret_is_found(on: Callable[[str], Broken]) -> None:
    here = on("22")
    here.tables["ami"]["secret"] = here.secret("other", "not-the-secret")
    [told] = await here.found("pbx")
    assert told.exit is Exit.PBX_SECRET
    assert "secret" in told.fix
    here.tables["ami"]["secret"] = here.secret("other", AMI_SECRET)
    [mended] = await here.found("pbx")

    assert mended.state is State.OK


@pytest.mark.parametrize("release", ["22", "16"])
async def test_without_its_files_the_pbx_tells_its_codes_itself(
    on: Callable[[str], Broken], release: str
) -> None:
    here = on(release)
    code_of_a_transfer(here)
    path = here.folder / "offrecord.toml"
    path.write_text(dumps(here.tables))
    empty = here.folder / "nothing"
    found = await check(load(path, {}), Places(config=path, asterisk=empty))
    [told] = [one for one in found if one.what == "codes"]

    assert told.state is State.FAIL
    assert "atxferabort is *1" in told.text
    assert [one.state for one in found if one.what in {"address", "dialplan", "phones"}] == [
        State.OK
    ] * 3
