# SPDX-License-Identifier: Apache-2.0
"""Channel names: their parts, whose they are, and why they are nobody's."""

import pytest

from ami.calls.channel_names import ChannelName, Resolution, Rules, extension, parse, resolve


@pytest.mark.parametrize(
    ("name", "technology", "endpoint", "suffix"),
    [
        ("SIP/410-12FA7B", "SIP", "410", "12FA7B"),
        ("sip/410-12fa7b", "sip", "410", "12fa7b"),
        ("PJSIP/410-00000002", "PJSIP", "410", "00000002"),
        ("PJSIP/my-trunk-00000002", "PJSIP", "my-trunk", "00000002"),
        ("SIP/10.0.0.5-0000002b", "SIP", "10.0.0.5", "0000002b"),
        ("SIP/sip.example.net-0000002b", "SIP", "sip.example.net", "0000002b"),
        ("PJSIP/410@acme-0000002b", "PJSIP", "410@acme", "0000002b"),
        ("PJSIP/floor-2/410-0000002b", "PJSIP", "floor-2/410", "0000002b"),
        ("IAX2/test-5226", "IAX2", "test", "5226"),
        ("DAHDI/i1/0383208100-3", "DAHDI", "i1/0383208100", "3"),
        ("DAHDI/1-1", "DAHDI", "1", "1"),
        ("SCCP/410-00000001", "SCCP", "410", "00000001"),
        ("Console/dsp", "Console", "dsp", ""),
        ("Message/ast_msg_queue", "Message", "ast_msg_queue", ""),
        (" SIP/410-12FA7B ", "SIP", "410", "12FA7B"),
    ],
)
def test_a_name_is_parted_at_its_first_slash_and_its_last_dash(
    name: str, technology: str, endpoint: str, suffix: str
) -> None:
    assert parse(name)[1:4] == (technology, endpoint, suffix)
    assert parse(name).raw == name


@pytest.mark.parametrize("half", ["1", "2"])
def test_a_local_channel_shows_its_half_and_the_context_it_was_dialled_in(half: str) -> None:
    assert parse(f"Local/412@from-internal-0000001c;{half}") == ChannelName(
        raw=f"Local/412@from-internal-0000001c;{half}",
        technology="Local",
        endpoint="412",
        suffix="0000001c",
        half=half,
        context="from-internal",
    )


@pytest.mark.parametrize("action", ["Parked", "AsyncGoto", "Bridge", "Surrogate"])
def test_an_action_before_the_name_is_set_apart(action: str) -> None:
    parts = parse(f"{action}/SIP/410-0000abcd")
    assert (parts.action, parts.technology, parts.endpoint) == (action, "SIP", "410")
    assert extension(parts) == "410"


def test_the_marks_of_a_masquerade_are_set_apart() -> None:
    ended = parse("AsyncGoto/SIP/410-0000abcd<ZOMBIE>")
    assert ended.zombie
    assert not ended.masquerade
    assert (ended.endpoint, ended.suffix) == ("410", "0000abcd")
    going_on = parse("SIP/410-0000abcd<MASQ>")
    assert going_on.masquerade
    assert not going_on.zombie
    both = parse("SIP/410-0000abcd<MASQ><ZOMBIE>")
    assert both.masquerade
    assert both.zombie
    assert both.suffix == "0000abcd"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SIP/410-12FA7B", "410"),
        ("PJSIP/410-00000012", "410"),
        ("SCCP/410-00000001", "410"),
        ("IAX2/0383208100-5226", "0383208100"),
        ("SIP/*98-00000001", "*98"),
        ("SIP/+61383208100-00000001", "+61383208100"),
        ("Parked/SIP/410-0000abcd", "410"),
        ("SIP/410", "410"),
    ],
)
def test_technology_and_suffix_are_cut_off_to_find_the_extension(name: str, expected: str) -> None:
    assert resolve(name) == Resolution(expected, f"technology and unique suffix cut off {name}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("PJSIP/my-trunk-00000002", "'my-trunk' does not look like an extension"),
        ("SIP/10.0.0.5-0000002b", "'10.0.0.5' does not look like an extension"),
        ("IAX2/test-5226", "'test' does not look like an extension"),
        ("PJSIP/410@acme-0000002b", "'410@acme' does not look like an extension"),
        ("Local/410@from-internal-0000001c;2", "half of a Local channel"),
        ("AsyncGoto/SIP/410-0000abcd<ZOMBIE>", "a zombie"),
        ("SIP/410-0000abcd<MASQ>", "in mid-masquerade"),
        ("Message/ast_msg_queue", "Message endpoints are not named after extensions"),
        ("DAHDI/1-1", "DAHDI endpoints are not named after extensions"),
        ("DAHDI/i1/0383208100-3", "DAHDI endpoints are not named after extensions"),
        ("Console/dsp", "Console endpoints are not named after extensions"),
        ("Recorder/410-00000001", "Recorder endpoints are not named after extensions"),
        ("SIP/410-", "'410-' does not look like an extension"),
        ("SIP/-0001", "'-0001' does not look like an extension"),
        ("SIP/--", "'SIP/--' is no channel name"),
        ("SIP/", "'SIP/' is no channel name"),
        ("410", "'410' is no channel name"),
        ("", "'' is no channel name"),
    ],
)
def test_what_is_no_extension_is_none_and_says_why(name: str, reason: str) -> None:
    found, why = resolve(name)
    assert found is None
    assert reason in why


def test_a_map_gives_devices_to_extensions_whatever_they_are_called() -> None:
    rules = Rules(
        endpoints={"Fred": "410", "PJSIP/fred": "411", "410@acme": "5410", "DAHDI/1": "9"}
    )
    assert extension("SIP/fred-00000001", rules) == "410"
    assert extension("pjsip/FRED-00000001", rules) == "411", "technology/endpoint is nearer"
    assert extension("SIP/410@acme-00000001", rules) == "5410"
    assert extension("DAHDI/1-1", rules) == "9"
    assert resolve("SIP/fred-00000001", rules).reason == (
        "the configuration gives SIP/fred to extension 410"
    )


def test_variable_goes_before_map_and_map_before_hint_and_hint_before_the_name() -> None:
    name = "PJSIP/410-00000001"
    hinted = Rules(hints={"PJSIP/410": "600"})
    mapped = Rules(endpoints={"410": "500"}, hints={"PJSIP/410": "600"})
    assert resolve(name, hinted) == Resolution("600", "the hint of extension 600 watches PJSIP/410")
    assert extension(name, mapped) == "500"
    assert extension(name, mapped, variable="700") == "700"
    assert extension(name, mapped, variable="") == "500"


@pytest.mark.parametrize("trunk", ["0383208100", "SIP/0383208100", "sip/0383208100"])
def test_a_configured_trunk_is_never_an_extension(trunk: str) -> None:
    rules = Rules(
        trunks=frozenset({trunk}),
        endpoints={"0383208100": "1"},
        hints={"SIP/0383208100": "2"},
    )
    found = resolve("SIP/0383208100-00000001", rules, variable="3")
    assert found == Resolution(None, "SIP/0383208100 is configured as a trunk")


def test_a_trunk_given_with_its_technology_leaves_the_same_endpoint_of_another_alone() -> None:
    rules = Rules(trunks=frozenset({"PJSIP/410"}))
    assert extension("PJSIP/410-00000001", rules) is None
    assert extension("SIP/410-00000001", rules) == "410"


@pytest.mark.parametrize("name", ["Local/410@inner-00000000;1", "SIP/410-0000abcd<ZOMBIE>"])
def test_an_inherited_variable_does_not_make_an_extension_of_plumbing(name: str) -> None:
    assert extension(name, variable="410") is None


def test_pattern_and_technologies_are_the_sites_to_choose() -> None:
    named = Rules(pattern="[a-z]+[0-9]{2}", technologies=frozenset({"DAHDI", "sip"}))
    assert extension("SIP/desk07-00000001", named) == "desk07"
    assert extension("SIP/desk077-00000001", named) is None
    assert extension("SIP/410-00000001", named) is None
    assert extension("DAHDI/port01-1", named) == "port01"
    assert extension("PJSIP/desk07-00000001", named) is None


def test_a_pattern_that_is_no_regular_expression_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"extension pattern '\[0-9': unterminated character set"):
        Rules(pattern="[0-9")
