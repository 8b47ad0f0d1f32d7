# SPDX-License-Identifier: Apache-2.0
"""What `init` is told, and what it has found: the two things a plan is made of. Pure data."""

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
    """How a PBX keeps its files: in its own hands, or made by FreePBX or Issabel."""

    PLAIN = "plain"
    FREEPBX = "freepbx"


@dataclass(frozen=True, slots=True)
class NoojeeAnswers:
    """The Noojee server. `auth` is `api_key`, or `signed` for older generations."""

    url: str
    agent_login: str
    auth: str = "api_key"
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What the site is to be.

    `move` says whether Asterisk's own codes may be moved out of the way, None for: those that
    nobody wrote down. `phones` is the pattern of extensions for the contexts of the snippet,
    None for a dialplan of one's own. `unit` is False where the daemon is started otherwise.
    `overwrite` writes files anew that somebody has changed since an earlier run.
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
    unit: bool = True
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that are to be written. `noojee_key` is None to leave it as it is."""

    ami: Secret
    noojee_key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie, as the machine itself sees them, without `--root`."""

    etc: PurePosixPath = ASTERISK
    config: PurePosixPath = CONFIG
    units: PurePosixPath = UNITS

    @property
    def credentials(self) -> PurePosixPath:
        """The folder of the secrets."""
        return self.config.parent / "credentials"

    @property
    def manifest(self) -> PurePosixPath:
        """The list of what was written."""
        return self.config.parent / "init.json"

    @property
    def unit(self) -> PurePosixPath:
        """The systemd unit that `init` writes."""
        return self.units / "offrecord.service"

    @property
    def drop_in(self) -> PurePosixPath:
        """The change of a unit that a package brought."""
        return self.units / "offrecord.service.d" / "init.conf"


@dataclass(frozen=True, slots=True)
class Found:
    """What is on the machine.

    `tree` is Asterisk's folder. `files` are the other files that a plan may touch, path to text.
    `loose` are the paths of secrets that others can read. `packaged_unit` is the unit of an
    installed package. `manifest` has the SHA-256 of every file that earlier runs wrote.
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
    manifest: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, path: PurePosixPath) -> str | None:
        """Return the text of a file, None where there is none."""
        if path.parent == self.places.etc:
            return self.tree.get(path.name)
        return self.files.get(path)
