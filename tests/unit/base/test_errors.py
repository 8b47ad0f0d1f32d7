# SPDX-License-Identifier: Apache-2.0
"""Exit codes are a promise to scripts."""

from bridges.model import Outcome
from offrecord.base.errors import RECORDER_EXITS, Exit, UserError
from offrecord.model.outcome_codes import EXIT_CODES


def test_only_a_proven_stop_leaves_with_zero() -> None:
    assert [outcome for outcome in Outcome if EXIT_CODES[outcome] == 0] == [Outcome.CONFIRMED]


def test_every_outcome_has_an_exit_code_of_its_own_between_ten_and_nineteen() -> None:
    assert set(EXIT_CODES) == set(Outcome)
    named = {outcome: Exit[outcome.name] for outcome in Outcome if outcome.name in Exit.__members__}
    assert named == {o: code for o, code in EXIT_CODES.items() if code}
    others = [EXIT_CODES[o] for o in Outcome if o is not Outcome.CONFIRMED]
    assert len(set(others)) == len(others)
    assert all(10 <= code <= 19 for code in others)


def test_errors_start_at_twenty_and_no_number_is_used_twice() -> None:
    assert len(Exit.__members__) == len({code.value for code in Exit})
    outcomes = set(EXIT_CODES.values())
    errors = [code for code in Exit if code > 2 and code not in outcomes]
    assert min(errors) is Exit.CONFIG
    assert Exit.CONFIG.value == 20
    assert set(RECORDER_EXITS.values()) <= set(errors)


def test_the_published_numbers_stay() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "INTERNAL": 1,
        "USAGE": 2,
        "ACCEPTED": 10,
        "CONTAINED": 11,
        "NOTHING_TO_STOP": 12,
        "DENIED": 13,
        "CALL_ENDED": 14,
        "FAILED": 15,
        "CONFIG": 20,
        "PBX_SECRET": 21,
        "PBX_UNREACHABLE": 22,
        "PBX_UNTRUSTED": 23,
        "PBX_PRIVILEGES": 24,
        "RECORDER_UNREACHABLE": 25,
        "RECORDER_UNTRUSTED": 26,
        "RECORDER_REFUSED": 27,
        "DAEMON_DOWN": 28,
        "NOT_FOUND": 29,
        "JOURNAL": 30,
        "PORT_IN_USE": 31,
        "LAB": 32,
        "TAMPERED": 33,
        "PBX_SETUP": 34,
    }


def test_a_user_error_is_one_line_even_when_the_cause_was_not() -> None:
    error = UserError("the PBX said:\n no", "look at\tmanager.conf", Exit.PBX_SECRET)
    assert str(error) == "the PBX said: no; look at manager.conf"
    assert error.exit is Exit.PBX_SECRET


def test_a_user_error_without_a_fix_ends_without_a_loose_mark() -> None:
    assert str(UserError("no such call", "", Exit.NOT_FOUND)) == "no such call"
