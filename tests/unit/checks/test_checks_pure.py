# SPDX-License-Identifier: Apache-2.0
"""The parts of `check` that only weigh: versions, codes, digits, certificates, modes."""

import os
import ssl
from pathlib import Path

import pytest

from bridges.model import Verb
from bridges.simulators import certificates
from offrecord.asterisk_files.feature_codes import Code
from offrecord.checks.codes_in_force import Codes, OurCode, _verb
from offrecord.checks.finding import Finding, State, some
from offrecord.checks.known_bugs import KNOWN_BUGS, known_bugs
from offrecord.checks.phone_test import Digit, ReceivedDigits, assess
from offrecord.checks.rules.certificates import last_day
from offrecord.checks.rules.features import _collisions, _same_host, _slow
from offrecord.checks.rules.journal import may_write
from offrecord.checks.rules.phones import _survives
from offrecord.checks.run import RULES

# versions


@pytest.mark.parametrize(
    ("version", "held", "words"),
    [
        ((16, 28, 0), (), []),
        ((22, 10, 1), ("originate",), []),
        ((16, 16, 2), (), ["no events of MixMonitors"]),
        ((16, 17, 0), (), []),
        ((17, 9, 4), (), ["no events of MixMonitors"]),
        ((18, 2, 2), (), ["no events of MixMonitors"]),
        ((18, 3, 0), (), []),
        ((18, 17, 1), (), []),
        ((18, 18, 0), (), ["MixMonitorMute"]),
        ((18, 19, 0), (), ["MixMonitorMute"]),
        ((18, 20, 0), (), []),
        ((20, 2, 1), (), []),
        ((20, 3, 0), (), ["MixMonitorMute"]),
        ((20, 4, 0), (), ["MixMonitorMute"]),
        ((20, 5, 0), (), []),
        ((21, 0, 0), (), []),
        ((18, 24, 1), ("originate",), ["CVE-2024-42365"]),
        ((18, 24, 2), ("originate",), []),
        ((20, 9, 1), ("originate", "call"), ["CVE-2024-42365"]),
        ((20, 9, 1), ("call",), []),
        ((20, 9, 2), ("originate",), []),
        ((21, 4, 1), ("originate",), ["CVE-2024-42365"]),
        ((21, 4, 2), ("originate",), []),
        ((), ("originate",), []),
    ],
    ids=str,
)
def test_each_known_bug_affects_its_versions_and_no_others(
    version: tuple[int, ...], held: tuple[str, ...], words: list[str]
) -> None:
    found = [bug.what for bug in known_bugs(version, held)]

    assert len(found) == len(words)
    assert all(word in what for word, what in zip(words, found, strict=True))


def test_the_deadlock_is_the_one_that_the_link_keeps_clear_of() -> None:
    from ami.recording_actions import _DEADLOCKS

    bug = next(one for one in KNOWN_BUGS if "MixMonitorMute" in one.what)
    versions = [(major, minor) for major in range(16, 24) for minor in range(30)]

    assert {one for one in versions if bug.affects(one)} == _DEADLOCKS


def test_every_known_bug_says_what_to_do_and_where_it_is_known_from() -> None:
    assert all(bug.do and bug.source.startswith("https://") for bug in KNOWN_BUGS)


# codes


def own(verb: Verb, code: str) -> OurCode:
    return OurCode(f"offrecord-{verb.value}", verb, code, "AGI,agi://127.0.0.1:4573/x", "")


def test_asterisks_defaults_collide_with_the_usual_codes_where_nothing_is_known() -> None:
    told = Codes("files", ours=(own(Verb.STOP, "*1"), own(Verb.PAUSE, "*2")))
    said = [finding.text for finding in _collisions(told)]

    assert len(said) == 3
    assert said[0] == ("stop on *1: atxferabort is *1 (the default of Asterisk); they are the same")
    assert said[2].startswith("stop on *1, pause on *2: disconnect is *")


def test_what_runs_counts_before_what_is_written() -> None:
    at = ("general", "atxferabort")
    told = Codes("both", {at: "#9"}, {at: "*1"}, (own(Verb.STOP, "*1"),))

    assert list(_collisions(told)) == []


def test_two_of_our_own_codes_collide() -> None:
    told = Codes(
        "pbx", {("general", "featuredigittimeout"): "2000"},
        ours=(own(Verb.STOP, "*9"), own(Verb.PAUSE, "*91")),
    )  # fmt: skip
    [found] = _collisions(told)

    assert found.state is State.FAIL
    assert "*9 fires before *91 is dialled" in found.text


def test_two_equal_codes_of_the_site_are_a_warning() -> None:
    foreign = (
        Code("applicationmap", "one", "*77", "f:1"),
        Code("applicationmap", "two", "*77", ""),
    )
    running = {("general", "featuredigittimeout"): "2000"}
    [found] = _collisions(Codes("pbx", running, foreign=foreign))

    assert (found.state, "and so is two" in found.text) == (State.WARN, True)


def test_a_code_of_one_key_needs_no_time_between_keys() -> None:
    assert list(_slow(Codes("pbx", ours=(own(Verb.STOP, "#"),)))) == []
    assert len(list(_slow(Codes("pbx", ours=(own(Verb.STOP, "*1"),))))) == 1


@pytest.mark.parametrize(
    ("name", "application", "verb"),
    [
        ("offrecord-stop", "AGI,agi://${OFFRECORD_AGI}/stop", Verb.STOP),
        ("secure", "AGI,agi://10.0.0.1/pause", Verb.PAUSE),
        ("x", "AGI(offrecord-agi,resume)", Verb.RESUME),
        ("x", "UserEvent(offrecord,Verb: objection)", Verb.OBJECTION),
        ("x", "AGI,agi://10.0.0.1/other", None),
        ("stop-music", "StopMusicOnHold", None),
    ],
)
def test_a_code_of_ours_is_known_by_what_it_runs(
    name: str, application: str, verb: Verb | None
) -> None:
    assert _verb(name, application) is verb


@pytest.mark.parametrize(
    ("called", "listened", "near", "same"),
    [
        ("127.0.0.1", "127.0.0.1", True, True),
        ("127.0.0.2", "127.0.0.1", True, True),
        ("127.0.0.1", "0.0.0.0", True, True),
        ("127.0.0.1", "10.0.0.5", True, False),
        ("10.0.0.5", "10.0.0.5", False, True),
        ("10.0.0.6", "10.0.0.5", False, False),
        ("localhost", "127.0.0.1", True, True),
        ("localhost", "10.0.0.5", False, False),
        ("::1", "127.0.0.1", True, False),
    ],
)
def test_where_a_call_of_the_codes_ends_up(
    called: str, listened: str, near: bool, same: bool
) -> None:
    assert _same_host(called, listened, near=near) is same


@pytest.mark.parametrize(
    ("codecs", "survives"),
    [
        ("(ulaw)", True),
        ("(ulaw|alaw)", True),
        ("(gsm)", False),
        ("(ulaw|g729)", False),
        ("", False),
    ],
)
def test_tones_survive_in_plain_codecs_alone(codecs: str, survives: bool) -> None:
    assert _survives(codecs) is survives


# digits


def heard(*digits: tuple[str, float, int], answered: bool = True) -> ReceivedDigits:
    made = ReceivedDigits("u", lambda: 0.0, [Digit(*one) for one in digits])
    made.answered = answered
    return made


def states(made: ReceivedDigits, timeout: int = 2000) -> list[tuple[str, str]]:
    return [(one.state.value, one.text) for one in assess("PJSIP/410", made, "*1", timeout)]


def test_the_code_with_lengths_and_gaps() -> None:
    assert states(heard(("*", 1.0, 120), ("1", 1.4, 100))) == [
        ("ok", "*1 arrived: each digit 100 to 120 ms long, 300 ms between them")
    ]


def test_digits_that_come_twice() -> None:
    twice = heard(("*", 1.0, 100), ("*", 1.12, 110), ("1", 1.5, 100), ("1", 1.62, 100))
    [doubled, arrived] = states(twice)

    assert doubled[0] == "warn"
    assert doubled[1].startswith("2 digits arrived twice")
    assert arrived[0] == "ok"


def test_the_same_digit_pressed_again_is_no_echo() -> None:
    pressed = heard(("*", 1.0, 100), ("*", 1.5, 100))

    assert states(pressed) == [("FAIL", "2 digits arrived, and they are not *1")]


def test_other_digits_are_counted_and_not_shown() -> None:
    [(state, text)] = states(heard(*((d, n / 2, 100) for n, d in enumerate("4111111111111111"))))

    assert (state, text) == ("FAIL", "16 digits arrived, and they are not *1")


def test_fingers_slower_than_the_pbx_waits() -> None:
    found = states(heard(("*", 1.0, 100), ("1", 2.6, 100)), timeout=1000)

    assert [state for state, _ in found] == ["ok", "FAIL"]
    assert "1500 ms between two digits, and featuredigittimeout is 1000 ms" in found[1][1]


def test_short_digits_are_a_warning() -> None:
    assert [s for s, _ in states(heard(("*", 1.0, 30), ("1", 1.4, 100)))] == ["ok", "warn"]


def test_nothing_and_nobody() -> None:
    assert states(heard())[0][0] == "FAIL"
    assert states(heard(answered=False))[0][0] == "skip"


def test_events_of_other_channels_are_not_heard() -> None:
    made = ReceivedDigits("u", lambda: 7.0, [])
    head = "Event: DTMFEnd\r\nChannel: PJSIP/410-1\r\nDigit: 5\r\nDurationMs: 80\r\n"
    digit = head + "Uniqueid: {}\r\nDirection: {}\r\n\r\n"
    for uniqueid, direction in (("other", "Received"), ("u", "Sent"), ("u", "Received")):
        made.take("<", digit.format(uniqueid, direction).encode())
    made.take(">", digit.format("u", "Received").encode())

    assert made.digits == [Digit("5", 7.0, 80)]


# certificates


# 9000 days from now is after 2050, from when on X.509 writes years with four digits
@pytest.mark.parametrize("days", [30, -3, 9000])
def test_the_last_day_is_read_from_the_bytes(tmp_path: Path, days: int) -> None:
    from cryptography import x509

    pem = certificates.issue(tmp_path, days=days).cert_file.read_text()
    der = ssl.PEM_cert_to_DER_cert(pem)

    assert last_day(der) == x509.load_der_x509_certificate(der).not_valid_after_utc
    assert last_day(der[:100]) is None
    assert last_day(b"") is None


# who may write


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "may"),
    [
        (0o755, 5, 5, True), (0o555, 5, 5, False), (0o775, 1, 7, True), (0o755, 1, 7, False),
        (0o757, 1, 1, True), (0o770, 1, 1, False),
    ],
)  # fmt: skip
def test_who_may_write(mode: int, uid: int, gid: int, may: bool) -> None:
    now = os.stat_result((mode, 0, 0, 0, uid, gid, 0, 0, 0, 0))

    assert may_write(now, 5, [5, 7]) is may


# the rules


def test_every_rule_has_a_name_of_its_own_and_says_what_it_looks_at() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.about and (rule.fails, rule.warns) != ("-", "-") for rule in RULES)


def test_a_finding_is_one_line_with_its_fix() -> None:
    assert str(Finding("a", State.OK, "well")) == "ok    a: well"
    assert str(Finding("a", State.FAIL, "so\nso", "do it")) == "FAIL  a: so so; do it"
    assert str(Finding("a", State.SKIPPED, "why")) == "skip  a: why"


def test_a_long_list_is_cut() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"
