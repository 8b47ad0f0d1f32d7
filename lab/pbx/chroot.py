# SPDX-License-Identifier: Apache-2.0
"""Real Asterisks out of Debian's own packages, each in a folder of the laboratory's cache.

Debian bookworm ships no Asterisk. `debootstrap` lays a minimal Debian of another suite into a
folder: `forky` for the newest Asterisk with PJSIP, `bullseye` for 16, the last one there with
chan_sip. Packages come from the mirror this machine's own apt uses, with signatures checked.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_DONE = ".offrecord-lab-complete"
_INCLUDE = "asterisk,asterisk-core-sounds-en-gsm,python3"
"""Python is for the one-shot AGI script, which Asterisk starts inside the chroot."""


class LabUnavailable(Exception):
    """No real Asterisk can be had on this machine; the text says why, `fix` what would help."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(f"{why}; {fix}")
        self.why = why
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Release:
    """One Asterisk to be had: its short name, and the Debian suites to try for it, in order."""

    name: str
    suites: tuple[str, ...]
    script: str


RELEASES = {
    "22": Release("22", ("forky", "sid"), "sid"),
    "16": Release("16", ("bullseye",), "bullseye"),
}


def cache_folder() -> Path:
    """Return the folder that keeps the chroots between runs."""
    chosen = os.environ.get("OFFRECORD_LAB_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "offrecord"


def find(release: str) -> Path | None:
    """Return the folder of a complete chroot for `release` ("22" or "16"), or None."""
    folder = cache_folder() / f"asterisk-{RELEASES[release].name}"
    return folder if os.geteuid() == 0 and _complete(folder) else None


def ensure(release: str, say: Callable[[str], None]) -> Path:
    """Return the chroot for `release`, making it first when it is not there (about a minute).

    Raises `LabUnavailable` where that cannot be done: not root, not Debian, no mirror.
    """
    ready = find(release)
    if ready is not None:
        return ready
    _require_debian_root()
    folder = cache_folder() / f"asterisk-{RELEASES[release].name}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.with_suffix(".lock")):
        if _complete(folder):
            return folder
        with _lock(folder.with_name("debootstrap.lock")):
            _require_tools(say)
        _build(RELEASES[release], folder, say)
    return folder


def _complete(folder: Path) -> bool:
    """Return whether a chroot is complete and has the packages wanted today."""
    done = folder / _DONE
    return done.is_file() and done.read_text() == _INCLUDE


def _require_debian_root() -> None:
    if os.geteuid() != 0:
        raise LabUnavailable("a real Asterisk needs root for its chroot", "run as root")
    if not Path("/etc/debian_version").is_file() or shutil.which("apt-get") is None:
        raise LabUnavailable(
            "a real Asterisk is taken from Debian's packages, and this is not Debian",
            "run on Debian 12 or newer",
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep two runs from laying the same chroot at once."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _require_tools(say: Callable[[str], None]) -> None:
    if shutil.which("debootstrap"):
        return
    say("installing debootstrap")
    apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update", "-qq"), ("install", "-y", "-qq", "debootstrap")):
        done = subprocess.run(
            ["apt-get", *words], env=apt, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LabUnavailable(
                f"apt-get {words[0]} failed: {_last_line(done.stderr)}", "check apt's sources"
            )


def mirror(sources: str) -> str:
    """Return the Debian mirror named in the text of apt's own sources.

    Understands both forms: `URIs:` of deb822 and one-line `deb`. Security mirrors do not carry
    the suites we need and are passed over.
    """
    found = re.findall(r"^URIs:\s*(\S+)", sources, re.MULTILINE)
    found += re.findall(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)", sources, re.MULTILINE)
    for uri in found:
        if uri.rstrip("/").endswith("/debian"):
            return str(uri)
    raise LabUnavailable("no Debian mirror in apt's sources", "add one to /etc/apt/sources.list")


def _sources_text() -> str:
    folder = Path("/etc/apt/sources.list.d")
    files = [
        Path("/etc/apt/sources.list"),
        *sorted(folder.glob("*.sources")),
        *folder.glob("*.list"),
    ]
    return "\n".join(path.read_text() for path in files if path.is_file())


def _build(release: Release, folder: Path, say: Callable[[str], None]) -> None:
    uri = mirror(_sources_text())
    problem = ""
    for suite in release.suites:
        say(f"fetching Asterisk {release.name} from Debian {suite} (about a minute, once)")
        shutil.rmtree(folder, ignore_errors=True)
        done = subprocess.run(
            [
                "debootstrap", "--variant=minbase", f"--include={_INCLUDE}",
                "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
                suite, str(folder), uri, f"/usr/share/debootstrap/scripts/{release.script}",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            # Asterisk asks for its own host name, and for the Internet when that is not found.
            hosts = f"127.0.0.1 localhost {socket.gethostname()}\n"
            (folder / "etc" / "hosts").write_text(hosts)
            (folder / _DONE).write_text(_INCLUDE)
            return
        problem = _last_line(done.stdout) or _last_line(done.stderr)
    raise LabUnavailable(
        f"debootstrap of Asterisk {release.name} failed: {problem}", "run it again"
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def main() -> int:
    """Make all chroots at once; return 0, or 3 where one of them cannot be had."""
    with ThreadPoolExecutor(len(RELEASES)) as pool:
        return max(pool.map(_laid, RELEASES))


def _laid(release: str) -> int:
    try:
        folder = ensure(release, lambda text: print(f"lab: {text}", flush=True))  # noqa: T201
    except LabUnavailable as problem:
        print(f"lab: no real Asterisk {release} here: {problem}", file=sys.stderr)  # noqa: T201
        return 3
    print(f"lab: Asterisk {release} is in {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
