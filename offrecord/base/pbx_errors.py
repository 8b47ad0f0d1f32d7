# SPDX-License-Identifier: Apache-2.0
"""What went wrong with the PBX, as exit codes."""

from ami.errors import AmiError, AmiInjection, AmiInsecure, AmiRefused, AmiUntrusted
from offrecord.base.errors import Exit, UserError

_EXITS: tuple[tuple[type[AmiError], Exit], ...] = (
    (AmiInsecure, Exit.CONFIG),
    (AmiInjection, Exit.CONFIG),
    (AmiRefused, Exit.PBX_SECRET),
    (AmiUntrusted, Exit.PBX_UNTRUSTED),
)


def user_error(problem: AmiError) -> UserError:
    """Return the error for the person at the terminal, with the exit code of its kind."""
    code = next((code for kind, code in _EXITS if isinstance(problem, kind)), Exit.PBX_UNREACHABLE)
    return UserError(f"PBX: {problem.message}", problem.fix, code)
