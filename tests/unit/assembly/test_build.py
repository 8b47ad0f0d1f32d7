# SPDX-License-Identifier: Apache-2.0
"""From the configuration to the parts: every key arrives where it has its effect."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ami.calls import channel_names
from ami.calls.snapshots import Call, Channel
from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.asterisk import AsteriskRecorder
from bridges.noojee import NoojeeRecorder
from offrecord.assembly import build as sites
from offrecord.config import ConfigError, Loaded, load

BASE = '[ami]\nusername = "u"\nsecret = { env = "S" }\n'
ENV = {"S": "s3cret", "K": "f863246a-973e-11e6-8784-08002718f5b5"}
RECORDERS = """
[recorders.local]
kind = "asterisk"
[recorders.noojee]
kind = "noojee"
url = "http://127.0.0.1:8088"
api_key = { env = "K" }
role = "may"
[recorders.old]
kind = "asterisk"
enabled = false
"""

PLAIN_NOOJEE = """
[recorders.x]
kind = "noojee"
url = "http://noojee.example"
api_key = { env = "K" }
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    """Return what loads a configuration with the least it needs, and more."""

    def make(more: str = "", env: Mapping[str, str] = ENV) -> Loaded:
        path = tmp_path / "offrecord.toml"
        path.write_text(BASE + more)
        return load(path, env)

    return make


def pbx() -> Pbx:
    return Pbx(AmiSettings("u", "s"))


# the link


@pytest.mark.parametrize(
    ("key", "written", "attribute", "value"),
    [
        ("host", '"127.0.0.9"', "host", "127.0.0.9"),
        ("port", "5039", "port", 5039),
        ("action_timeout", "2.5", "action_timeout", 2.5),
        ("ping_interval", "2", "ping_interval", 2.0),
        ("allow_plain_tcp", "true", "allow_plain_tcp", True),
    ],
)
def test_each_key_of_the_link_reaches_it(
    loaded: Any, key: str, written: str, attribute: str, value: object
) -> None:
    plain = sites.ami_settings(loaded().config)
    given = sites.ami_settings(loaded(f"{key} = {written}\n").config)

    assert getattr(given, attribute) == value
    assert getattr(plain, attribute) != value


def test_tls_with_its_authority_and_name_reaches_the_link(loaded: Any, tmp_path: Path) -> None:
    text = 'tls = true\nca_file = "ca.pem"\nserver_name = "pbx"\nhost = "10.0.0.1"\n'
    made = sites.ami_settings(loaded(text).config)

    assert (made.tls, made.ca_file, made.server_hostname) == (True, tmp_path / "ca.pem", "pbx")


def test_the_secret_and_the_name_of_the_account_reach_the_link(loaded: Any) -> None:
    made = sites.ami_settings(loaded().config)

    assert (made.username, made.secret) == ("u", "s3cret")


@pytest.mark.parametrize("seconds", [0.1, 5, 12, 60, 3600])
def test_every_ping_interval_that_may_be_configured_makes_a_link(
    loaded: Any, seconds: float
) -> None:
    made = sites.ami_settings(loaded(f"ping_interval = {seconds}\n").config)

    assert made.dead_after - made.ping_interval == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("", "system,call,user"),
        ("[keypad]\nenabled = true\n", "system,call,dtmf,user"),
        ("[user_event]\nenabled = false\n", "system,call"),
    ],
)
def test_only_the_events_in_use_are_asked_for(loaded: Any, text: str, mask: str) -> None:
    assert sites.ami_settings(loaded(text).config).event_mask == mask


# names, keypad, resolver


def test_the_rules_for_names_are_the_configured_ones_and_the_pbxs_hints(loaded: Any) -> None:
    config = loaded(
        '[extensions]\npattern = "4[0-9]{2}"\ntrunks = ["carrier"]\n'
        '[extensions.map]\ndesk = "430"\n'
    ).config
    rules = sites.name_rules(config, {"pjsip/fred": "470"})

    assert channel_names.extension("SIP/desk-1", rules) == "430"
    assert channel_names.extension("PJSIP/fred-1", rules) == "470"
    assert channel_names.extension("SIP/carrier-1", rules) is None
    assert channel_names.extension("SIP/410-1", rules) == "410"
    assert channel_names.extension("SIP/510-1", rules) is None
    assert channel_names.extension("PJSIP/fred-1", sites.name_rules(config)) is None


def test_the_keypad_is_off_unless_told(loaded: Any) -> None:
    assert sites.keypad(loaded()) is None


def test_the_keypad_has_the_configured_codes_and_patience(loaded: Any) -> None:
    text = '[keypad]\nenabled = true\ndigit_timeout = 4\ncodes = { "#9" = "pause" }\n'
    keypad = sites.keypad(loaded(text))

    assert keypad is not None
    assert keypad.feed("1.1", "#", 0.0) is None
    assert keypad.feed("1.1", "9", 3.9) == "pause"
    assert keypad.feed("1.1", "#", 10.0) is None
    assert keypad.feed("1.1", "9", 14.1) is None


def test_codes_that_cannot_be_dialled_are_a_mistake_in_the_configuration(loaded: Any) -> None:
    text = '[keypad]\nenabled = true\ncodes = { "1" = "stop", "*12" = "pause" }\n'
    with pytest.raises(ConfigError) as caught:
        sites.keypad(loaded(text))
    (line,) = map(str, caught.value.problems)

    assert "offrecord.toml: keypad.codes: code '*12' can never be entered" in line
    assert "choose codes" in line


def test_the_resolver_has_the_agents_the_variable_and_the_patience(loaded: Any) -> None:
    text = '[agents]\n410 = "fred"\n[extensions]\nvariable = "EXT"\n[press]\nwait_known = 1\n'
    made = sites.resolver(loaded(text), pbx())

    assert made.agents.known("410").login == "fred"
    assert not made.queues
    assert (made.variable, made.wait_known) == ("EXT", 1.0)


def test_a_rule_about_a_queue_has_the_queue_asked_for(loaded: Any) -> None:
    text = RECORDERS + '[[routes.rule]]\nqueue = "support"\nrecorders = ["local"]\n'
    assert sites.resolver(loaded(text), pbx()).queues


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("410,fred\n411\n", "line 2: this is not `extension,login`"),
        ("410,fred\n410,wilma\n", "line 2: 410 has another login above"),
        (None, "No such file"),
    ],
)
def test_an_agents_file_that_cannot_be_used_is_one_line_with_its_place(
    loaded: Any, tmp_path: Path, lines: str | None, what: str
) -> None:
    if lines is not None:
        (tmp_path / "agents.csv").write_text(lines)
    with pytest.raises(ConfigError) as caught:
        sites.resolver(loaded(f'[agent_lookup]\nfile = "{tmp_path}/agents.csv"\n'), pbx())
    (line,) = map(str, caught.value.problems)
    assert "offrecord.toml: agent_lookup.file: " in line
    assert what in line


# recorders and routes


def test_recorders_are_made_by_their_kinds_and_the_disabled_ones_are_not(loaded: Any) -> None:
    made = sites.recorders(loaded(RECORDERS), pbx())

    assert {name: type(one) for name, one in made.items()} == {
        "local": AsteriskRecorder, "noojee": NoojeeRecorder,
    }  # fmt: skip
    assert [one.name for one in made.values()] == ["local", "noojee"]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (
            '[recorders.x]\nkind = "tape"\n',
            "recorders.x.kind",
            "known kinds are asterisk, genesys, imagicle, noojee, voipnow",
        ),
        ('[recorders.x]\nkind = "asterisk"\nfiles = "a"\n', "recorders.x.files", "`file`"),
        ('[recorders.x]\nkind = "asterisk"\nfile = "{caller}"\n', "recorders.x.file", "uniqueid"),
        (
            '[recorders.x]\nkind = "noojee"\nurl = "http://127.0.0.1"\n',
            "recorders.x.api_key",
            "add",
        ),
        (
            PLAIN_NOOJEE,
            "recorders.x",
            "https",
        ),
    ],
)
def test_a_recorder_that_cannot_be_made_is_one_line_with_its_key(
    loaded: Any, text: str, key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        sites.recorders(loaded(text), pbx())
    (line,) = map(str, caught.value.problems)

    assert f"offrecord.toml: {key}" in line
    assert words in line


def _call(endpoint: str, extension: str | None) -> Call:
    channel = Channel(f"SIP/{endpoint}-1", "1.1", "1.1", "SIP", endpoint, extension)
    return Call("1.1", frozenset({"1.1"}), (channel,))


def test_routes_budget_and_roles_reach_the_engine(loaded: Any) -> None:
    text = (
        '[routes]\ndefault = ["local", "old"]\n[[routes.rule]]\nextension = "5*"\n'
        'recorders = ["noojee"]\n[[routes.rule]]\ntrunk = "my-*"\nrecorders = ["old"]\n'
        "[press]\nbudget = 2.5\n"
    )
    given = loaded(RECORDERS + text)
    site = sites.site(given, pbx(), sites.recorders(given, pbx()))

    assert site.router.route(_call("410", "410")).recorders == ("local",)
    assert site.router.route(_call("510", "510")).recorders == ("noojee",)
    assert site.router.route(_call("my-trunk", None)).recorders == ()
    assert site.router.route(_call("410", "410"), "noojee").recorders == ("noojee",)
    assert site.router.route(_call("410", "410"), "old").recorders == ("local",)
    assert site.budget == 2.5
    assert site.optional == {"noojee"}


def test_without_routes_every_enabled_recorder_holds_every_call(loaded: Any) -> None:
    given = loaded(RECORDERS)
    site = sites.site(given, pbx(), sites.recorders(given, pbx()))

    assert site.router.route(_call("410", "410")).recorders == ("local", "noojee")


def test_the_rules_about_routes_say_how_long_pauses_last(loaded: Any) -> None:
    text = (
        '[recorders.local]\nkind = "asterisk"\n'
        '[[routes.rule]]\ntrunk = "gw-*"\nrecorders = ["local"]\n'
        '[[routes.rule]]\ndid = "0305*"\nagent = "fred"\nrecorders = ["local"]\npause_ttl = %d\n'
    )
    [rule] = sites.enforcement(loaded(text % 45)).pause.routes
    assert (dict(rule.patterns), rule.ttl) == ({"did": "0305*", "agent": "fred"}, 45.0)
    with pytest.raises(ConfigError, match="longer than"):
        sites.enforcement(loaded(text % 700))


def test_music_for_held_calls_asks_for_the_right_to_place_calls(loaded: Any) -> None:
    given = loaded('[retry]\nfallback = ["hold_music"]\nhold_sounds = ["moh/calm"]\n')
    settings = sites.enforcement(given)
    assert (settings.hold_sounds, settings.hold_longest) == (("moh/calm",), 60.0)
    assert sites.ami_settings(given.config).whispers
    assert not sites.ami_settings(loaded().config).whispers
