# SPDX-License-Identifier: Apache-2.0
"""Typed ids hold what they promise; nothing is guessed from a text."""

import pytest

from noojee import Extension, UniqueId


@pytest.mark.parametrize("text", ["410", "*98", "+61383208100", "my-trunk", "é10"])
def test_an_extension_is_sent_as_given(text: str) -> None:
    assert str(Extension(text)) == text


@pytest.mark.parametrize(
    "text", ["", "SIP/410", "12347811.214", "4 10", "410\n", "410,411", "4\x0010", "1" * 151]
)
def test_what_is_no_bare_extension_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="extension"):
        Extension(text)


@pytest.mark.parametrize(
    "text", ["12347811.214", "3412341214.123", "342082345-238.234", "pbx1.site-1700000000.7"]
)
def test_a_unique_id_is_sent_as_given(text: str) -> None:
    assert str(UniqueId(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "410", "1.", ".1", "1.2\n", "SIP/410-1.2", "a.b", "1.2.x", "1 .2", "1" * 150 + ".1"],
)
def test_what_is_no_unique_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unique id"):
        UniqueId(text)


def test_a_number_is_not_taken_for_a_text() -> None:
    with pytest.raises(TypeError):
        Extension(410)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        UniqueId(1.2)  # type: ignore[arg-type]
