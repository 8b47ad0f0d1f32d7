# SPDX-License-Identifier: Apache-2.0
"""What every recorder must do, as checks that a recorder of anyone's can be put through.

A recorder's author writes a `RecorderFixture`, which puts the vendor (its simulator, usually) into each
`Situation`, and runs every check of `CHECKS` against a fresh one. With pytest and an asyncio
plugin that is::

    @pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
    async def test_it_conforms(check: Check) -> None:
        async with my_fixture() as fixture:
            try:
                await check(fixture)
            except NotApplicable as why:
                pytest.skip(str(why))

A check raises AssertionError with what is wrong. `NotApplicable` comes only of situations that
some vendors do not know; the others cannot be skipped. Needs nothing but offrecord itself.
"""

from bridges.conformance.all_checks import CHECKS, OPTIONAL, Check
from bridges.conformance.fixture import NotApplicable, RecorderFixture, Situation

__all__ = ["CHECKS", "OPTIONAL", "Check", "NotApplicable", "RecorderFixture", "Situation"]
