# SPDX-License-Identifier: Apache-2.0
"""The one-shot script: how long the presser is cut off from the call, in one run.

Four processes, started in turns: a bare interpreter, the same without site-packages, our script,
and a plain script on pyst2 and `socket` that does the same work. A thread plays the daemon; the
answers of Asterisk lie ready in the pipe. Measured from the start of the process:

- press: until the daemon has the press;
- end: until the script closes its output, which is when Asterisk gives the presser back.

Byte code is compiled beforehand, as an installed package has it; without that ours is 10 ms
slower. Run from the repository's root: `python -m bench.oneshot`. About 15 s.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from agi.handover import accepted, encode, told
from agi.verdict_message import AgiVerdict

DESCRIPTION = "The one-shot script's start, against a plain pyst2 script and a bare interpreter."
ROUNDS = 40
ENVIRONMENT = (
    b"agi_request: offrecord-agi\nagi_channel: PJSIP/410-00000002\nagi_language: en\n"
    b"agi_type: PJSIP\nagi_uniqueid: 1700000000.7\nagi_version: 22.10.1\nagi_callerid: 411\n"
    b"agi_calleridname: Anna\nagi_context: internal\nagi_extension: 410\nagi_arg_1: stop\n\n"
)
ANSWERS = b"200 result=1\n" * 4
OURS = "from agi.oneshot import main; main()"
PLAIN = """
import json, socket, sys
from asterisk.agi import AGI
agi = AGI()
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[2].partition("=")[2])
lines = peer.makefile("rw")
lines.write(json.dumps({"op": "press", "verb": sys.argv[1], "channel": agi.env["agi_channel"],
                        "uniqueid": agi.env["agi_uniqueid"], "way": "agi", "wait": 0.7}) + "\\n")
lines.flush()
press = json.loads(lines.readline())["press"]
verdict = json.loads(lines.readline())
agi.set_variable("OFFRECORD_PRESS", press)
agi.set_variable("OFFRECORD_OUTCOME", verdict["outcome"])
agi.verbose(verdict["text"], 1)
"""


class Daemon:
    """Takes a press, answers after `delay` seconds, and notes when it came."""

    def __init__(self, path: str, delay: float) -> None:
        self.delay = delay
        self.pressed = 0.0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(4)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        verdict = encode(told(AgiVerdict("confirmed", (), "stop confirmed")))
        while True:
            peer, _ = self._listener.accept()
            with peer:
                peer.recv(4096)
                self.pressed = time.perf_counter()
                peer.sendall(encode(accepted("P1")))
                time.sleep(self.delay)
                peer.sendall(verdict)


def start(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run one process; return when it started, and milliseconds until it closed its output."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(ENVIRONMENT + ANSWERS)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # a bare interpreter reads nothing
        commands = process.stdout.read()
        ended = (time.perf_counter() - started) * 1e3
    if "stop" in words and b"OFFRECORD_OUTCOME" not in commands:
        raise RuntimeError(f"the script did not tell the verdict: {commands!r}")
    return started, ended


def middle(values: list[float]) -> str:
    """Return median and 95th percentile for a cell."""
    if not values:
        return f"{'':>16}"
    ordered = sorted(values)
    return f"{statistics.median(ordered):8.1f}{ordered[int(len(ordered) * 0.95)]:8.1f}"


def measure(folder: Path, delay: float) -> None:
    """Print one table, for a daemon that knows the verdict after `delay` seconds."""
    path = str(folder / f"{delay}.sock")
    daemon = Daemon(path, delay)
    script = ["stop", f"--socket={path}"]
    cases = {
        "bare interpreter": ["-c", "pass"],
        "bare, -I -S -E": ["-ISE", "-c", "pass"],
        "offrecord-agi": ["-c", OURS, *script],
        "plain pyst2 script": ["-c", PLAIN, *script],
    }
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "byte-code")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    press: dict[str, list[float]] = {name: [] for name in cases}
    end: dict[str, list[float]] = {name: [] for name in cases}
    for warm in (False, *[True] * ROUNDS):
        for name, words in cases.items():
            daemon.pressed = 0.0
            started, ended = start(words, environment)
            if warm:
                end[name].append(ended)
                if daemon.pressed:
                    press[name].append((daemon.pressed - started) * 1e3)
    print(f"verdict after {delay * 1e3:g} ms{'press ms':>24}{'end ms':>16}")
    print(f"{'':22}{'p50     p95':>16}{'p50     p95':>16}")
    for name in cases:
        print(f"{name:22}{middle(press[name])}{middle(end[name])}")


def main() -> None:
    """Print a table for a daemon that answers at once, and one for a slower recorder."""
    argparse.ArgumentParser(description=DESCRIPTION).parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        for delay in (0.0, 0.02):
            measure(folder, delay)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
