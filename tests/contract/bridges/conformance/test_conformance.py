# SPDX-License-Identifier: Apache-2.0
"""Every recorder of ours does what every recorder must."""

import pytest

from bridges.conformance import CHECKS, NotApplicable
from tests.kits.conformance_fixtures import FIXTURES

CANNOT_BE = {
    ("verbs_not_offered_are_refused", "*"): "every verb is offered",
    ("wrong_agent_gets_no_yes", "asterisk"): "a PBX has no agents of its own",
    ("wrong_agent_gets_no_yes", "imagicle"): "one account of the suite acts for everybody",
    (
        "wrong_agent_gets_no_yes",
        "voipnow",
    ): "VoipNow is asked by an App; no person's name goes to it",
}
"""The situations that a vendor cannot be in; every other check has to run."""


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("kind", FIXTURES)
async def test_it_conforms(kind: str, name: str) -> None:
    expected = CANNOT_BE.get((name, kind)) or CANNOT_BE.get((name, "*"))
    async with FIXTURES[kind]() as fixture:
        if expected is None:
            await CHECKS[name](fixture)
        else:
            with pytest.raises(NotApplicable, match=expected):
                await CHECKS[name](fixture)
