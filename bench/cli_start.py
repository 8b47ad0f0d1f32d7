# SPDX-License-Identifier: Apache-2.0
"""The start of the command line: `--help` and completion, compared with `--version`.

Each is a whole process, from its start to its end, in turn with `--version`. The ratio is that of
the medians; `--help` and completion of names are to stay under 1.5.

    python -m bench.cli_start [--runs 15]
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("offrecord")
LIMIT = 1.5


def completion(line: str) -> Mapping[str, str]:
    """Return the variables by which bash asks for what completes a line."""
    return {
        "_OFFRECORD_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
        "OFFRECORD_SOCKET": "/nonexistent/offrecord.sock",
    }


CASES: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "offrecord --help": (("--help",), {}),
    "offrecord audit --help": (("audit", "--help"), {}),
    "offrecord st<TAB>": ((), completion("offrecord st")),
    "offrecord stop <TAB>": ((), completion("offrecord stop ")),
    "offrecord stop --<TAB>": ((), completion("offrecord stop --")),
    "offrecord init --<TAB>": ((), completion("offrecord init --")),
}


def run(words: tuple[str, ...], variables: Mapping[str, str]) -> tuple[float, float]:
    """Run the program once; return its wall and its processor time, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [PROGRAM, *words], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **variables}
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def main() -> None:
    """Measure every case, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="how often each is run")
    runs = parser.parse_args().runs
    print(f"{runs} runs each, medians; wall and processor time of the whole process")
    print(f"{'':24}{'wall ms':>9}{'cpu ms':>9}{'version':>9}{'cpu':>9}{'wall ratio':>12}{'cpu':>7}")
    for name, case in CASES.items():
        pairs = [(run(*case), run(("--version",), {})) for _ in range(runs + 1)][1:]
        its, base = ([statistics.median(one[at][kind] for one in pairs) for kind in (0, 1)]
                     for at in (0, 1))  # fmt: skip
        over = "" if its[0] <= LIMIT * base[0] else f"  over {LIMIT}"
        print(
            f"{name:24}{its[0] * 1000:9.1f}{its[1] * 1000:9.1f}{base[0] * 1000:9.1f}"
            f"{base[1] * 1000:9.1f}{its[0] / base[0]:12.2f}{its[1] / base[1]:7.2f}{over}"
        )


if __name__ == "__main__":
    main()
