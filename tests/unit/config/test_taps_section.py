# SPDX-License-Identifier: Apache-2.0
"""The settings about who else listens to calls."""

import pytest
from pydantic import ValidationError

from bridges.asterisk.ways.taps import REPORT, TapSettings
from offrecord.assembly.build import taps
from offrecord.config.schema import Config
from offrecord.config.sections.recorders import TapsConfig


def settings(**given: object) -> TapSettings:
    return taps(Config.model_construct(taps=TapsConfig.model_validate(given)))


def test_without_settings_nobody_is_named_and_nobody_hung_up() -> None:
    assert settings() == REPORT


def test_what_is_given_reaches_the_way() -> None:
    given = settings(extensions=["490"], contexts=["sup*"], apps=["bot"], on_stop="hangup")
    assert given == TapSettings(("490",), ("sup*",), ("bot",), hang_up=True)


@pytest.mark.parametrize("given", [{"on_stop": "mute"}, {"extensions": "490"}, {"contexts": [""]}])
def test_what_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TapsConfig.model_validate(given)
