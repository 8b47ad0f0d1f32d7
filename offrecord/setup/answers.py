# SPDX-License-Identifier: Apache-2.0
"""The input of a plan as pure data: the answers given, and what was found on the machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from bridges.model import Verb
from offrecord.asterisk_files.conf_parser import Tree
from offrecord.base.secrets import Secret

ASTERISK: Final = PurePosixPath("/etc/asterisk")
CONFIG: Final = PurePosixPath("/etc/offrecord/offrecord.toml")
UNITS: Final = PurePosixPath("/etc/systemd/system")
PROGRAM: Final = PurePosixPath("/opt/offrecord/bin/offrecord")


class Layout(StrEnum):
    """Layout of the PBX's files: written by the administrator, or by FreePBX or Issabel."""

    PLAIN = "plain"
    FREEPBX = "freepbx"


@dataclass(frozen=True, slots=True)
class NoojeeAnswers:
    """The Noojee server. `auth` is `api_key`, or `signed` for older generations of it."""

    url: str
    agent_login: str
    auth: str = "api_key"
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers about the site.

    `move`: whether Asterisk's own codes may be changed where they conflict with ours; None means
    only its defaults. `phones`: the pattern of extensions for the contexts of the snippet, None
    where the site has a dialplan of its own. `ari`: make an ARI account of our own. `unit` is False
    where systemd does not start the daemon. `overwrite`: also replace files that were changed
    since an earlier run.
    """

    layout: Layout
    codes: Mapping[Verb, str]
    technology: str = "PJSIP"
    account: str = "offrecord"
    agi: str = "127.0.0.1:4573"
    move: bool | None = None
    phones: str | None = "_4XX"
    trunks: tuple[str, ...] = ()
    noojee: NoojeeAnswers | None = None
    ari: bool = False
    unit: bool = True
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets to write.

    `noojee_key` is None to keep the present one; `ari` is None without an ARI account.
    """

    ami: Secret
    noojee_key: Secret | None = None
    ari: Secret | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Paths on the target machine itself, without `--root`."""

    etc: PurePosixPath = ASTERISK
    config: PurePosixPath = CONFIG
    units: PurePosixPath = UNITS

    @property
    def credentials(self) -> PurePosixPath:
        """The folder of the secrets."""
        return self.config.parent / "credentials"

    @property
    def manifest(self) -> PurePosixPath:
        """The list of the files that `init` wrote."""
        return self.config.parent / "init.json"

    @property
    def unit(self) -> PurePosixPath:
        """The systemd unit that `init` writes."""
        return self.units / "offrecord.service"

    @property
    def drop_in(self) -> PurePosixPath:
        """The drop-in that changes the unit of an installed package."""
        return self.units / "offrecord.service.d" / "init.conf"


@dataclass(frozen=True, slots=True)
class Found:
    """The state of the machine.

    `tree`: Asterisk's folder. `files`: path to text of the other files that a plan may change.
    `loose`: the paths of secrets that other users can read. `packaged_unit`: the unit of an
    installed package. `spool_group`: the group that owns Asterisk's recordings, empty where there
    is none and where the daemon's user is in it. `manifest`: path to SHA-256 of every file that
    earlier runs wrote.
    """

    tree: Tree
    layout: Layout
    places: Places = Places()
    files: Mapping[PurePosixPath, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )
    loose: frozenset[PurePosixPath] = frozenset()
    version: tuple[int, ...] = ()
    technology: str = "PJSIP"
    packaged_unit: str | None = None
    program: PurePosixPath = PROGRAM
    has_user: bool = True
    has_systemd: bool = True
    spool_group: str = ""
    manifest: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, path: PurePosixPath) -> str | None:
        """Return the text of a file, None where it does not exist."""
        if path.parent == self.places.etc:
            return self.tree.get(path.name)
        return self.files.get(path)
