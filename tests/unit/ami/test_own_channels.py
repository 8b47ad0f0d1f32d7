# SPDX-License-Identifier: Apache-2.0
"""The uniqueids that the daemon gave the channels that it originated."""

from ami.calls.own_channels import KEPT, OwnChannels


def test_a_pair_of_new_ids_is_ours() -> None:
    own = OwnChannels()
    near, far = own.pair("whisper")
    assert near in own
    assert far in own
    assert near.startswith("offrecord-whisper-")
    assert len({near, far, *own.pair("whisper")}) == 4


def test_what_only_looks_like_ours_is_not() -> None:
    own = OwnChannels()
    near, _ = own.pair("whisper")
    assert f"{near}-spy" not in own
    assert "offrecord-whisper-1" not in own


def test_the_oldest_are_dropped() -> None:
    own = OwnChannels()
    own.add(*(str(number) for number in range(KEPT)))
    own.add("0", "new")  # used again: the newest
    assert "0" in own
    assert "1" not in own
    assert len([*own]) == KEPT
