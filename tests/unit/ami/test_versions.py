# SPDX-License-Identifier: Apache-2.0
"""What Asterisk calls itself, and what it has by that; which events an eventfilter hides."""

import pytest

from ami.events.filters import NEEDED, hidden
from ami.versions import Version, parse_version, raises_mixmonitor_events, unsupported

OF_MIXMONITORS = ("MixMonitorStart", "MixMonitorStop", "MixMonitorMute")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", (22, 10, 1)),
        ("16.28.0~dfsg-0+deb11u4", (16, 28, 0)),
        ("20.4.0", (20, 4, 0)),
        ("1.8.32.3", (1, 8, 32)),
        ("certified-18.9-cert4", (18, 9)),
        ("certified/18.9-cert4", (18, 9)),
        ("GIT-22-abcdef1", (22,)),
        ("SVN-branch-11-r12345", (11,)),
        ("GIT-master-8a7f3c1", ()),
        ("GIT-master-1234567", ()),
        ("GIT-8a7f3c1", ()),
        ("SVN-trunk-r1234", ()),
        ("unknown", ()),
        ("", ()),
    ],
)
def test_the_version_is_read_from_what_asterisk_calls_itself(text: str, version: Version) -> None:
    assert parse_version(text) == version


def test_the_version_of_ami_tells_the_series_where_the_text_does_not() -> None:
    assert parse_version("GIT-master-8a7f3c1", "12.0.0") == (23,)
    assert parse_version("UNKNOWN__and_probably_unsupported", "1.3") == (11,)
    assert parse_version("GIT-master-8a7f3c1", "2.8.0") == ()
    assert parse_version("16.2.1~dfsg-1", "5.0.0") == (16, 2, 1)


@pytest.mark.parametrize(
    ("text", "ami", "said"),
    [
        ("11.25.3", "1.3", "Asterisk 11.25 (AMI 1.3) is not supported: 13.5 or newer is needed"),
        ("1.8.32.3", "1.1", "Asterisk 1.8 (AMI 1.1) is not supported: 13.5 or newer is needed"),
        ("13.4.0", "2.7.0", "Asterisk 13.4 (AMI 2.7.0) is not supported: 13.5 or newer is needed"),
        ("13.5.0", "2.8.0", None),
        ("GIT-13-8a7f3c1", "2.8.0", None),
        ("GIT-master-8a7f3c1", "2.8.0", None),
        ("22.10.1", "11.0.0", None),
    ],
)
def test_a_version_below_the_lowest_is_said_in_one_line(
    text: str, ami: str, said: str | None
) -> None:
    assert unsupported(parse_version(text, ami), ami) == said


@pytest.mark.parametrize(
    ("version", "raised"),
    [
        ((13, 38, 3), False),
        ((16, 2, 1), False),
        ((16, 16, 0), False),
        ((16, 17, 0), True),
        ((17, 9, 4), False),
        ((18, 2, 2), False),
        ((18, 3, 0), True),
        ((19, 0, 0), True),
        ((16,), True),
        ((17,), False),
        ((), True),
    ],
)
def test_old_versions_raise_no_events_of_mixmonitors(version: Version, raised: bool) -> None:
    assert raises_mixmonitor_events(version) is raised


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        ([], ()),
        ([("eventfilter", "!Event: MixMonitor.*")], OF_MIXMONITORS),
        ([("eventfilter", "!Event: MixMonitorStart")], ("MixMonitorStart",)),
        ([("eventfilter", "!Event: VarSet"), ("eventfilter", "!Event: RTCP")], ()),
        ([("eventfilter", "Event: [NHBDLR]")], tuple(
            n for n in NEEDED if n[0] not in "NHBDLR"
        )),
        ([("eventfilter", "!Channel: Local/")], NEEDED),
        ([("eventfilter(action(exclude),name(MixMonitorStop))", "")], ("MixMonitorStop",)),
        ([("eventfilter(action(exclude),name(Hangup),header(Channel),method(starts_with))",
           "PJSIP/")], ("Hangup",)),
        ([("eventfilter(action(exclude),name(VarSet))", "")], ()),
        ([("eventfilter", "!Event: (")], ()),
    ],
)  # fmt: skip
def test_an_eventfilter_is_read_as_asterisk_reads_it(
    lines: list[tuple[str, str]], lost: tuple[str, ...]
) -> None:
    assert hidden(lines) == lost
