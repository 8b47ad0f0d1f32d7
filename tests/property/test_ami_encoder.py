# SPDX-License-Identifier: Apache-2.0
"""Whatever text comes in, one action leaves: nobody's caller id can write a second one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami.errors import AmiInjection
from ami.events.headers import headers
from ami.link.actions import encode, flatten, response

anything = st.text(max_size=60) | st.text(alphabet="\r\n\0: aA", max_size=12)
names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,20}\Z")
plain = st.text(st.characters(blacklist_characters="\r\n\0", codec="utf-8"), max_size=60)


@given(st.lists(st.tuples(names | anything, anything), max_size=6))
def test_an_action_is_refused_or_is_exactly_the_headers_given(
    pairs: list[tuple[str, str]],
) -> None:
    given_pairs = [("Action", "Setvar"), *pairs]
    try:
        packet = encode(given_pairs)
    except AmiInjection:
        return
    assert packet.endswith(b"\r\n\r\n")
    assert packet.count(b"\r\n\r\n") == 1
    lines = packet[:-4].split(b"\r\n")
    assert len(lines) == len(given_pairs)
    for line, (name, value) in zip(lines, given_pairs, strict=True):
        assert line == f"{name}: {value}".encode()
        assert not {b"\r", b"\n", b"\0"} & {line[i : i + 1] for i in range(len(line))}


@given(names, anything, st.sampled_from("\r\n\0"), anything)
def test_a_line_break_or_nul_is_refused_wherever_it_is(
    name: str, before: str, bad: str, after: str
) -> None:
    for pairs in ([(name, before + bad + after)], [(name + bad + after, before)]):
        with pytest.raises(AmiInjection) as caught:
            encode(pairs)
        assert bad not in str(caught.value)


@given(st.dictionaries(names, plain | st.lists(plain, max_size=3), min_size=1, max_size=6))
def test_what_is_clean_passes_and_reads_back_the_same(
    fields: dict[str, str | list[str]],
) -> None:
    pairs = [("Action", "X"), *flatten(fields)]
    read = headers(encode(pairs).removesuffix(b"\r\n\r\n"))
    assert read == pairs


@given(st.lists(st.tuples(names | st.just("Output"), plain), max_size=8))
def test_an_answer_loses_no_value(pairs: list[tuple[str, str]]) -> None:
    answer = response(pairs)
    for name, value in pairs:
        if name == "Output":
            assert value in answer.output
        else:
            assert value in answer.headers[name].split("\n")
