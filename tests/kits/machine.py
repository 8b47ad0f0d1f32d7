# SPDX-License-Identifier: Apache-2.0
"""A whole machine for one test: a Debian with Asterisk as it comes, and a network of its own.

The laboratory's chroot lies below, unchanged; what the test writes is in memory and gone after it.
No systemd runs in it, so `systemctl` is played: the unit's program as the unit's user, with the
unit's folders and credentials, and with a socket to say on that it is ready.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.kits.docs_kit import Block
from tests.kits.waiting import patience

_NEW_NETWORK = 0x40000000
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Put this thread, and what it starts, into a network that has only loopback.

    Every port is free in it, and nobody else is reached.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def enter(result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), "no network of its own")

    enter(libc.unshare(_NEW_NETWORK))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            up = struct.pack("16sh14x", b"lo", 0x1)  # IFF_UP
            fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
        yield
    finally:
        enter(libc.setns(before, _NEW_NETWORK))
        os.close(before)


@contextlib.contextmanager
def machine(chroot: Path) -> Iterator["Machine"]:
    """Lay a machine over a chroot, with a network of its own; take all of it away at the end."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    # A short path: a socket in it has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="offrecord-", dir=memory))
    root = folder / "root"
    for name in ("root", "changes", "work"):
        (folder / name).mkdir()
    layers = f"lowerdir={chroot},upperdir={folder}/changes,workdir={folder}/work"
    made = Machine(root)
    try:
        subprocess.run(
            ["mount", "-t", "overlay", "overlay", "-o", layers, str(root)],
            check=True, capture_output=True,
        )  # fmt: skip
        with own_network():
            try:
                yield made
            finally:
                made.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Machine:
    """A machine at `root`. `said` is what each command of a guide printed when it was run last."""

    root: Path
    said: dict[str, str] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return where a path of the machine lies."""
        return self.root / name.lstrip("/")

    def run(self, command: str, *, ok: bool = True) -> str:
        """Run a command as root in /root and return all that it prints; `ok` is how it must end."""
        words = command.split()
        if words[0] == "systemctl":
            return self._systemctl(words[1:])
        # curl is not part of the machine: somebody calls it from beside.
        beside = words[0] == "curl"
        inside = [] if beside else ["chroot", str(self.root)]
        done = subprocess.run(
            [*inside, "/bin/sh", "-c", command if beside else f"cd /root; {command}"],
            cwd=self.path("/root"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=patience(),
            env={"PATH": _PATH, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive",
                 "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        printed = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, f"{command}: {done.returncode}\n{printed}"
        return printed

    def carry_out(self, block: Block) -> dict[str, str]:
        """Do what a block of a guide says; return what each of its commands printed."""
        if block.language != "console":
            # The administrator's editor: a command of the guide puts it in its place.
            self.path(f"/root/{Path(block.file).name}").write_text(block.text)
            return {}
        printed = {step.command: self.run(step.command) for step in block.steps}
        self.said |= printed
        return printed

    def start_asterisk(self) -> None:
        """Start Asterisk as Debian has it, and wait until it takes calls."""
        self.path("/run/asterisk").mkdir(exist_ok=True)
        shutil.chown(self.path("/run/asterisk"), *self._ids("asterisk"))
        self._running["asterisk"] = self._start(
            ["asterisk", "-f", "-U", "asterisk", "-G", "asterisk"], "/var/log/asterisk.out"
        )
        deadline = time.monotonic() + patience()
        while "fully booted" not in self.console("core waitfullybooted"):
            assert time.monotonic() < deadline, self.path("/var/log/asterisk.out").read_text()
            time.sleep(0.1)

    def console(self, command: str) -> str:
        """Run one command on Asterisk's console and return what it prints."""
        done = subprocess.run(
            ["chroot", str(self.root), "asterisk", "-rx", command],
            capture_output=True, text=True, check=False, timeout=patience(),
        )  # fmt: skip
        return done.stdout

    def stop(self) -> None:
        """End every process of the machine."""
        for name in list(self._running):
            self._end(name)

    def _start(
        self, words: list[str], log: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with self.path(log).open("ab") as out:
            return subprocess.Popen(
                ["chroot", str(self.root), *words], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env={"PATH": _PATH, "LC_ALL": "C.UTF-8", **(environment or {})},
            )  # fmt: skip

    def _end(self, name: str) -> int | None:
        process = self._running.pop(name, None)
        if process is None:
            return None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(patience())
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(10)

    # systemd

    def _systemctl(self, words: list[str]) -> str:
        verb, *rest = words
        assert rest[-1:] in ([], ["offrecord"]), words
        if verb == "stop":
            assert self._end("offrecord") in {None, 0}, self.log()
        elif verb == "start" or (verb == "enable" and "--now" in rest):
            self._start_service()
        else:
            assert verb in {"daemon-reload", "enable"}, words
        return ""

    def unit(self) -> dict[str, list[str]]:
        """Return the keys of the service with their values, changes beside the unit included."""
        found: dict[str, list[str]] = {}
        for path in (
            self.path("/usr/lib/systemd/system/offrecord.service"),
            *sorted(self.path("/etc/systemd/system/offrecord.service.d").glob("*.conf")),
        ):
            for key, value in re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE):
                found[key] = [*found.get(key, []), value] if value else []
        return found

    def _start_service(self) -> None:
        unit = self.unit()
        [user], [group], [program] = unit["User"], unit["Group"], unit["ExecStart"]
        ids = self._ids(user)
        for base, key, mode in (
            ("/run", "RuntimeDirectory", 0o755), ("/var/lib", "StateDirectory", 0o750),
        ):  # fmt: skip
            folder = self.path(f"{base}/{unit[key][0]}")
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
            shutil.chown(folder, *ids)
        credentials = "/run/credentials/offrecord.service"
        self._hand_over(credentials, unit.get("LoadCredential", []), ids)
        said = self.path("/run/notify")
        said.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(said))
            said.chmod(0o666)
            listener.settimeout(0.1)
            self._running["offrecord"] = self._start(
                ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups",
                 "--no-new-privs", "--bounding-set=-all", "--", *program.split()],
                "/var/log/offrecord.out",
                {"CREDENTIALS_DIRECTORY": credentials, "NOTIFY_SOCKET": "/run/notify"},
            )  # fmt: skip
            self._await_ready(listener)

    def _await_ready(self, listener: socket.socket) -> None:
        deadline = time.monotonic() + patience()
        while time.monotonic() < deadline:
            assert self._running["offrecord"].poll() is None, self.log()
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in listener.recv(4096):
                    return
        raise AssertionError(f"the service is not ready: {self.log()}")

    def _hand_over(self, folder: str, named: list[str], ids: tuple[int, int]) -> None:
        self.path(folder).mkdir(parents=True, exist_ok=True)
        for one in named:
            name, _, source = one.partition(":")
            target = self.path(f"{folder}/{name}")
            target.unlink(missing_ok=True)
            shutil.copyfile(self.path(source), target)
            target.chmod(0o400)
            shutil.chown(target, *ids)

    def log(self) -> str:
        """Return what the service has said."""
        return self.path("/var/log/offrecord.out").read_text()

    def _ids(self, user: str) -> tuple[int, int]:
        for line in self.path("/etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == user:
                return int(uid), int(gid)
        raise AssertionError(f"there is no user {user}")
