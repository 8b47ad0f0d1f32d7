# SPDX-License-Identifier: Apache-2.0
"""One Asterisk process in a laboratory chroot, with folders of its own, started and stopped."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridges.simulators import certificates
from lab.patience import patience
from lab.pbx.chroot import LabUnavailable
from lab.pbx.ports import free_rtp_block, free_tcp, free_udp

# Modules that open fixed ports or only slow the start; a phone call needs none of them.
_NOT_LOADED = (
    "app_voicemail", "app_minivm", "cdr_csv", "cdr_custom", "cdr_manager", "cel_custom",
    "cel_manager", "chan_dahdi", "chan_iax2", "chan_mgcp", "chan_skinny", "chan_unistim",
    "chan_motif", "chan_ooh323", "pbx_ael", "pbx_dundi", "pbx_lua", "res_calendar",
    "res_config_ldap", "res_config_odbc", "res_config_pgsql", "res_config_sqlite3", "res_corosync",
    "res_fax", "res_hep", "res_http_post", "res_odbc", "res_phoneprov", "res_pjsip_phoneprov",
    "res_pjsip_phoneprov_provider", "res_resolver_unbound", "res_smdi", "res_snmp", "res_statsd",
    "res_stun_monitor", "res_xmpp", "res_prometheus", "res_geolocation", "cdr_pgsql", "cel_pgsql",
    "cdr_radius", "cel_radius", "cdr_sqlite3_custom", "cel_sqlite3_custom", "cdr_tds", "cel_tds",
)  # fmt: skip
_CHAN_SIP_OFF = ("chan_sip",)
_PJSIP_OFF = (
    "chan_pjsip", "res_pjsip", "res_pjsip_session", "res_pjsip_authenticator_digest",
    "res_pjsip_outbound_registration", "res_pjsip_registrar", "res_pjsip_endpoint_identifier_user",
)  # fmt: skip


@dataclass(slots=True)
class Asterisk:
    """One Asterisk of the laboratory.

    `files` are the configuration files it is started with, name to text, in addition to those
    that each one needs. Ports are chosen in the constructor: files can name them. AMI account
    `lab` (everything) is the laboratory's own witness. `environment` is passed on to AGI scripts.
    """

    chroot: Path
    name: str
    files: dict[str, str] = field(default_factory=dict)
    chan_sip: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    sip_port: int = field(default_factory=free_udp)
    ami_port: int = field(default_factory=free_tcp)
    ami_tls_port: int = field(default_factory=free_tcp)
    rtp: tuple[int, int] = field(default_factory=free_rtp_block)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        """The instance's own folder, seen from outside the chroot."""
        return self.chroot / self.inside.lstrip("/")

    @property
    def inside(self) -> str:
        """The same folder, as the processes in the chroot see it."""
        return f"/srv/offrecord-lab/{self.name}-{os.getpid()}"

    @property
    def ca_file(self) -> Path:
        """The authority that signed the certificate of its AMI over TLS."""
        return self.root / "keys" / "ca.pem"

    @property
    def monitor(self) -> Path:
        """The folder that its MixMonitors write to."""
        return self.root / "spool" / "monitor"

    @property
    def log(self) -> Path:
        """Its log, at verbosity 3."""
        return self.root / "log" / "full"

    def start(self) -> None:
        """Write the configuration, start the process and wait until AMI answers.

        Raises `LabUnavailable` when it does not come up.
        """
        self._lay_folders()
        for name, text in {**self._common_files(), **self.files}.items():
            (self.root / "etc" / name).write_text(text)
        made = certificates.issue(self.root / "keys")
        both = made.cert_file.read_text() + made.key_file.read_text()
        (self.root / "etc" / "ami.pem").write_text(both)
        self._own()
        self._launch()

    def restart(self, *, kill: bool = True) -> None:
        """Stop the process (`kill -9` unless told otherwise) and start it on the same ports."""
        self.halt(kill=kill)
        self._launch()

    def halt(self, *, kill: bool = False) -> None:
        """Stop the process and keep its files."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def stop(self) -> None:
        """Stop the process and remove its files."""
        self.halt()
        shutil.rmtree(self.root, ignore_errors=True)

    def console(self, command: str) -> str:
        """Run one command on its console and return what it prints."""
        done = subprocess.run(
            ["chroot", str(self.chroot), "asterisk", "-C", f"{self.inside}/etc/asterisk.conf",
             "-rx", command],
            capture_output=True, text=True, check=False, timeout=patience(),
        )  # fmt: skip
        return done.stdout

    def share(self, path: Path) -> None:
        """Give the Asterisk user access to a file or socket that was made outside the chroot."""
        self._own_one(path)

    def install_script(self, name: str, start: str, packages: Sequence[Path]) -> None:
        """Put a Python AGI script into its agi-bin, with copies of what it imports.

        `start` is the script's own code.
        """
        folder = self.root / "agi-bin"
        for package in packages:
            target = folder / "lib" / package.name
            if package.is_dir():
                shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                target.parent.mkdir(exist_ok=True)
                shutil.copy(package, target)
        script = folder / name
        library = f"{self.inside}/agi-bin/lib"
        head = f"#!/usr/bin/python3 -E\nimport sys\nsys.path.insert(0, {library!r})\n"
        script.write_text(head + start)
        script.chmod(0o755)
        self._own()

    def write_file(self, name: str, text: str) -> None:
        """Replace one configuration file of the running instance (it still must be reloaded)."""
        path = self.root / "etc" / name
        path.write_text(text)
        self._own_one(path)

    def _launch(self) -> None:
        shutil.rmtree(self.root / "run", ignore_errors=True)
        (self.root / "run").mkdir()
        self._own_one(self.root / "run")
        inside = self.inside
        already = self.log.stat().st_size if self.log.is_file() else 0
        with (self.root / "log" / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                ["chroot", str(self.chroot), "asterisk", "-f", "-U", "asterisk", "-G", "asterisk",
                 "-C", f"{inside}/etc/asterisk.conf"],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
        self._await_ami(already)

    def _await_ami(self, already: int) -> None:
        deadline = time.monotonic() + patience()
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            # The log says so once every module is loaded; AMI listens earlier.
            if self.log.is_file() and b"Asterisk Ready" in self.log.read_bytes()[already:]:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", self.ami_port), 1).close()
                    return
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-600:] if self.log.is_file() else ""
        self.halt(kill=True)
        raise LabUnavailable(f"Asterisk {self.name} did not start: {tail}", "see its log")

    def _lay_folders(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in (
            "etc",
            "lib",
            "db",
            "keys",
            "spool/monitor",
            "spool/recording",
            "run",
            "log",
            "agi-bin",
        ):
            (self.root / folder).mkdir(parents=True)

    def _ids(self) -> tuple[int, int]:
        for line in (self.chroot / "etc/passwd").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == "asterisk":
                return int(fields[2]), int(fields[3])
        raise LabUnavailable("the chroot has no asterisk user", "remove the chroot and run again")

    def _own(self) -> None:
        self._own_one(self.root)
        for path in self.root.rglob("*"):
            self._own_one(path)

    def _own_one(self, path: Path) -> None:
        os.chown(path, *self._ids())

    def _common_files(self) -> Mapping[str, str]:
        inside = self.inside
        unwanted = (*_NOT_LOADED, *(_PJSIP_OFF if self.chan_sip else _CHAN_SIP_OFF))
        return {
            "asterisk.conf": (
                "[directories]\n"
                f"astetcdir => {inside}/etc\nastvarlibdir => {inside}/lib\n"
                f"astdbdir => {inside}/db\nastkeydir => {inside}/keys\n"
                f"astdatadir => /usr/share/asterisk\nastmoddir => {self._module_folder()}\n"
                f"astagidir => {inside}/agi-bin\nastspooldir => {inside}/spool\n"
                f"astrundir => {inside}/run\nastlogdir => {inside}/log\n"
                f"[options]\nverbose = 3\nsystemname = {self.name}\n"
            ),
            "modules.conf": "[modules]\nautoload=yes\n"
            + "".join(f"noload => {module}.so\n" for module in unwanted),
            "logger.conf": "[general]\ndateformat=%F %T.%3q\n[logfiles]\n"
            "full => notice,warning,error,verbose(3)\n",
            "rtp.conf": f"[general]\nrtpstart={self.rtp[0]}\nrtpend={self.rtp[1]}\n",
            "http.conf": "[general]\nenabled=no\n",
            "cdr.conf": "[general]\nenable=no\n",
            "cel.conf": "[general]\nenable=no\n",
            "manager.conf": self.manager_conf(""),
            "extensions.conf": "[general]\n",
        }

    def manager_conf(self, accounts: str) -> str:
        """Return a manager.conf with the witness's own account and `accounts` after it."""
        return (
            f"[general]\nenabled=yes\nport={self.ami_port}\nbindaddr=127.0.0.1\n"
            f"tlsenable=yes\ntlsbindaddr=127.0.0.1:{self.ami_tls_port}\n"
            f"tlscertfile={self.inside}/etc/ami.pem\n"
            "[lab]\nsecret=lab\nread=all\nwrite=all\nwritetimeout=5000\n" + accounts
        )

    def _module_folder(self) -> str:
        found = [
            *self.chroot.glob("usr/lib/*/asterisk/modules"),
            *self.chroot.glob("usr/lib/asterisk/modules"),
        ]
        if not found:
            raise LabUnavailable("the chroot has no Asterisk", "remove the chroot and run again")
        return "/" + str(found[0].relative_to(self.chroot))
