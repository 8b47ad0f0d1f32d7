# SPDX-License-Identifier: Apache-2.0
"""Make the sound files of the prompts: `sounds/offrecord/*.wav`, the same bytes on every run.

With a folder as argument they go there instead.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from offrecord.notify import prompt_sounds  # noqa: E402 - found by the line above

FOLDER = ROOT / "sounds" / "offrecord"


def main(folder: Path) -> None:
    """Write every file and print its size."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in prompt_sounds.files().items():
        (folder / name).write_bytes(content)
        print(f"{folder / name}: {len(content)} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    main(parser.parse_args().folder)
