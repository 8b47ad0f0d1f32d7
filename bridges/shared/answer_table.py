# SPDX-License-Identifier: Apache-2.0
"""Types for a table of a vendor's answers, and for the end of an order. Pure.

Each kind's `answers.py` names its own cases and next steps, for they differ from vendor to
vendor; a row has the same columns everywhere.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from bridges.model import Evidence, Outcome

NextStep = TypeVar("NextStep", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Row(Generic[NextStep]):
    """Row of an answer table: the meaning of one case for one request.

    `next` is what to do after it. `outcome` and `evidence` hold when nothing more can be learnt;
    `evidence` is also what the exchange by itself proves. `retryable`: the same order may be given
    again later without harm. `said` continues "VENDOR …"; `hint` is what an administrator can
    look at.
    """

    next: NextStep
    outcome: Outcome
    evidence: Evidence
    retryable: bool
    said: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """Outcome of an order, with its evidence. `retryable` counts only for the outcome `failed`."""

    outcome: Outcome
    evidence: Evidence
    detail: str
    retryable: bool = True
