# SPDX-License-Identifier: Apache-2.0
"""The one-shot script: `AGI(offrecord-agi,stop)` sends one press to the daemon and ends.

Whatever happens, the call goes on: the exit code is 0, also after an interrupt. Its handler is
therefore the first thing that the script does; what takes a press through is imported after it.
Before that the interpreter starts, where a signal ends any process in its own way.
"""

import _signal  # type: ignore[import-not-found]  # `signal` imports `enum`: 6 ms of dead air
import os
import sys

# The type checkers know this name; `typing` itself would cost more than the rest of the module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run the script and end the process with exit code 0, whatever happened.

    `os._exit`: the interpreter's own clean-up would be another 2 ms of dead air.
    """
    if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _leave)
    try:
        from agi.oneshot_press import run

        run(sys.argv[1:], os.environ)
    except Exception as error:  # noqa: BLE001 - the call must go on; the error goes to the console
        from agi.wire import command, printable

        text = printable(f"offrecord: the script failed: {type(error).__name__}: {error}")
        os.write(1, command("VERBOSE", text, "1"))
    finally:
        os._exit(0)


def _leave(*_: object) -> "NoReturn":
    """End the process at once.

    Python's own handler raises KeyboardInterrupt instead, wherever the script is. Inside a
    destructor or a callback of the import system that is printed and dropped, and the script
    goes on for as long as its deadlines let it.
    """
    os._exit(0)
