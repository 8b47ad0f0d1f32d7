# SPDX-License-Identifier: Apache-2.0
"""When two spellings of a number mean the same line."""

import pytest

from bridges.shared.phone_numbers import Match, Numbering, plain

ITALY = Numbering(region="IT")
ANYWHERE = Numbering()


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("410", "410"),
        ("+39 02 7312-410", "+39027312410"),
        ("0003*210", "210"),
        ("210@pbx.example", "210"),
        ("anonymous", ""),
        ("s", ""),
        ("", ""),
        ("h323:410", ""),
        ("(02) 73.12", "027312"),
    ],
)
def test_a_number_is_its_digits_and_a_name_is_none(text: str, digits: str) -> None:
    assert plain(text) == digits


@pytest.mark.parametrize(
    ("numbering", "one", "other", "match"),
    [
        (ANYWHERE, "410", "410", Match.SAME),
        (ANYWHERE, "0003*210", "210", Match.SAME),
        (ANYWHERE, "410", "411", Match.NO),
        (ANYWHERE, "410", "+39027312410", Match.TAIL),
        (ANYWHERE, "10", "410", Match.NO),
        (ANYWHERE, "", "410", Match.NO),
        (ANYWHERE, "", "", Match.NO),
        (ANYWHERE, "anonymous", "anonymous", Match.NO),
        (ITALY, "0455551234", "+390455551234", Match.SAME),
        (ITALY, "00390455551234", "+39 045 555 1234", Match.SAME),
        (ITALY, "0455551234", "+390455551235", Match.NO),
        (ANYWHERE, "+390455551234", "+390455551234", Match.SAME),
        (Numbering(region="DE"), "0455551234", "+390455551234", Match.TAIL),
    ],
)
def test_two_spellings_agree_as_far_as_they_mean_one_line(
    numbering: Numbering, one: str, other: str, match: Match
) -> None:
    assert numbering.match(one, other) is match
    assert numbering.match(other, one) is match


@pytest.mark.parametrize(
    ("numbering", "number", "outward"),
    [
        (ANYWHERE, "410", "410"),
        (Numbering(strip=("0", "9")), "90455", "0455"),
        (Numbering(strip=("410",)), "410", "410"),
        (Numbering(mask="+390273XXXX"), "410", "+3902730410"),
        (Numbering(mask="+390273XXXX"), "2410", "+3902732410"),
        (Numbering(mask="+390273XXXX"), "0455551234", "0455551234"),
        (Numbering(mask="+390273XXXX"), "+4930123", "+4930123"),
        (Numbering(strip=("8",), mask="5XXX"), "8410", "5410"),
        (ANYWHERE, "0003*210", "210"),
    ],
)
def test_a_number_is_written_as_the_other_system_does(
    numbering: Numbering, number: str, outward: str
) -> None:
    assert numbering.outward(number) == outward
