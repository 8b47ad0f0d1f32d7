# SPDX-License-Identifier: Apache-2.0
"""The checks that every recorder must pass, whoever wrote it.

A recorder's author writes a `RecorderFixture`, which puts the vendor (usually its simulator) into
each `Situation`, and runs every check of `CHECKS` with a new one. With pytest and an asyncio
plugin that is::

    @pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
    async def test_it_conforms(check: Check) -> None:
        async with my_fixture() as fixture:
            try:
                await check(fixture)
            except NotApplicable as why:
                pytest.skip(str(why))

A check raises AssertionError with what is wrong. `NotApplicable` comes only from situations that
some vendors do not know; the other checks cannot be skipped. Nothing but offrecord is needed.
"""

from bridges.conformance.all_checks import CHECKS, OPTIONAL, Check
from bridges.conformance.fixture import NotApplicable, RecorderFixture, Situation

__all__ = ["CHECKS", "OPTIONAL", "Check", "NotApplicable", "RecorderFixture", "Situation"]
