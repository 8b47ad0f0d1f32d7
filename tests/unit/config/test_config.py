# SPDX-License-Identifier: Apache-2.0
"""One file, its drop-ins and the environment become one checked configuration."""

import re
import tomllib
from pathlib import Path

import pytest

from bridges.model import Verb
from offrecord.base.errors import Exit
from offrecord.config import ConfigError, journal_path, load, render

PASSWORD = "correct horse battery"

LEAST = """
[ami]
username = "offrecord"
secret = { file = "ami.secret" }

[recorders.local]
kind = "asterisk"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a configuration folder with a secret that only its owner reads."""
    secret = tmp_path / "ami.secret"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    return tmp_path


def write(folder: Path, text: str, name: str = "offrecord.toml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def lines(folder: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    """Load a configuration that is wrong and return its error lines, without the folder."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    assert caught.value.exit is Exit.CONFIG
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_shortest_useful_file_gives_the_documented_defaults(folder: Path) -> None:
    loaded = load(write(folder, LEAST), {})
    config = loaded.config
    assert config.ami.secret.reveal() == PASSWORD
    assert (config.ami.host, config.ami.port, config.agi.port) == ("127.0.0.1", 5038, 4573)
    assert (config.agi.wait, config.press.budget) == (0.7, 5.0)
    assert dict(config.keypad.codes) == {
        "*1": Verb.STOP,
        "*2": Verb.PAUSE,
        "*3": Verb.RESUME,
        "*9": Verb.OBJECTION,
    }
    assert config.socket.mode == 0o660
    assert config.routed() == ("local",)
    assert loaded.warnings == ()


def test_drop_ins_win_over_the_file_in_name_order_and_the_environment_over_all(
    folder: Path,
) -> None:
    path = write(folder, LEAST + "[press]\nbudget = 1\njoin_window = 1\nwait_known = 1\n")
    write(folder, "[press]\nbudget = 3\njoin_window = 3\n", "conf.d/20-b.toml")
    write(folder, "[press]\nbudget = 2\njoin_window = 2\n", "conf.d/10-a.toml")
    loaded = load(path, {"OFFRECORD__PRESS__BUDGET": "4"})
    press = loaded.config.press
    assert (press.wait_known, press.join_window, press.budget) == (1, 3, 4)
    assert loaded.sources["press.wait_known"] == str(path)
    assert loaded.sources["press.join_window"] == str(folder / "conf.d/20-b.toml")
    assert loaded.sources["press.budget"] == "environment OFFRECORD__PRESS__BUDGET"
    assert loaded.sources["press.budget"] != loaded.sources["ami.username"] == str(path)
    assert loaded.sources["ami.port"] == "default"


def test_lists_are_replaced_and_tables_are_joined(folder: Path) -> None:
    path = write(folder, LEAST + '[extensions]\ntrunks = ["a"]\nmap = { "SIP/a" = "1" }\n')
    write(folder, '[extensions]\ntrunks = ["b"]\nmap = { "SIP/b" = "2" }\n', "conf.d/x.toml")
    extensions = load(path, {}).config.extensions
    assert extensions.trunks == ("b",)
    assert dict(extensions.map) == {"SIP/a": "1", "SIP/b": "2"}


def test_a_secret_named_anew_in_a_drop_in_replaces_the_old_name_whole(folder: Path) -> None:
    path = write(folder, LEAST)
    write(folder, '[ami]\nsecret = { env = "AMI" }\n', "conf.d/x.toml")
    assert load(path, {"AMI": "other"}).config.ami.secret.reveal() == "other"


def test_a_secret_can_be_named_anew_by_its_parts_from_the_environment(folder: Path) -> None:
    env = {"OFFRECORD__AMI__SECRET__ENV": "AMI", "AMI": "other"}
    loaded = load(write(folder, LEAST), env)
    assert loaded.config.ami.secret.reveal() == "other"
    assert loaded.sources["ami.secret"] == "environment OFFRECORD__AMI__SECRET__ENV"


def test_the_environment_reaches_recorders_with_dashes_and_takes_lists(folder: Path) -> None:
    path = write(folder, LEAST + '[recorders.my-noojee]\nkind = "noojee"\nurl = "a"\n')
    env = {
        "OFFRECORD__RECORDERS__MY_NOOJEE__URL": "https://b",
        "OFFRECORD__ROUTES__DEFAULT": '["my-noojee"]',
    }
    config = load(path, env).config
    assert dict(config.recorders["my-noojee"].options) == {"url": "https://b"}
    assert config.routed() == ("my-noojee",)


def test_without_a_file_the_environment_can_be_all_there_is() -> None:
    env = {
        "OFFRECORD__AMI__USERNAME": "u",
        "OFFRECORD__AMI__SECRET": '{ env = "S" }',
        "S": "x",
        "OFFRECORD__RECORDERS__LOCAL__KIND": "asterisk",
    }
    assert load(None, env).config.ami.secret.reveal() == "x"


def test_what_is_printed_is_toml_with_a_source_for_each_value_and_no_secret(folder: Path) -> None:
    path = write(
        folder,
        LEAST
        + '[recorders."two words"]\nkind = "noojee"\napi_key = { env = "KEY" }\n'
        + 'clusters = [{ "a b" = 1, c = [1.5, true] }]\n'
        + '[[routes.rule]]\ntrunk = "a*"\nrecorders = ["local"]\n',
    )
    text = render(load(path, {"KEY": PASSWORD, "OFFRECORD__AMI__PORT": "5039"}))
    assert PASSWORD not in text
    values = tomllib.loads(text)
    assert values["ami"]["port"] == 5039
    assert values["socket"]["mode"] == "0660"
    assert values["recorders"]["two words"]["kind"] == "noojee"
    assert values["routes"]["rule"] == [{"trunk": "a*", "recorders": ["local"]}]
    assert values["recorders"]["two words"]["clusters"] == [{"a b": 1, "c": [1.5, True]}]
    assert "# [pause.queues] is empty  # default" in text
    assert "port = 5039  # environment OFFRECORD__AMI__PORT" in text
    assert 'api_key = "********"  # ' + str(path) + ", from environment variable KEY" in text
    for line in text.splitlines():
        assert not line or line.startswith("[") or "  # " in line


def test_the_configuration_cannot_be_changed_once_loaded(folder: Path) -> None:
    config = load(write(folder, LEAST), {}).config
    with pytest.raises(ValueError, match="frozen"):
        config.ami.port = 1
    with pytest.raises(TypeError):
        config.recorders["x"] = config.recorders["local"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("added", "line"),
    [
        ("[pres]\nx = 1", "offrecord.toml: pres: unknown key; did you mean `press`?"),
        ("[ladder]\nfallback = []", "offrecord.toml: ladder: unknown key; did you mean `retry`?"),
        ("[press]\nbudgt = 1", "offrecord.toml: press.budgt: unknown key; did you mean `budget`?"),
        (
            "[log]\ncolour = 1",
            "offrecord.toml: log.colour: unknown key; known here: format, level",
        ),
        (
            '[log]\nlevel = "loud"',
            (
                "offrecord.toml: log.level: this is none of the known values; "
                "give debug, info, warning or error"
            ),
        ),
        (
            "[agi]\nport = 70000",
            (
                "offrecord.toml: agi.port: this is out of range; "
                "give the port to listen on, 4573 by custom"
            ),
        ),
        (
            "[agi]\nwait = nan",
            (
                "offrecord.toml: agi.wait: this is out of range; give seconds (0 to 5) "
                "to wait for the verdict while the presser hears nothing"
            ),
        ),
        (
            "[shutdown]\ngrace = inf",
            (
                "offrecord.toml: shutdown.grace: this is not a number; "
                "give seconds that presses under way have to end"
            ),
        ),
        (
            '[socket]\nmode = "0666"',
            (
                "offrecord.toml: socket.mode: everyone on the machine could stop recordings; "
                'give who may use the socket, as an octal text such as "0660"'
            ),
        ),
        (
            '[keypad.codes]\n"*1" = "toggle"',
            (
                'offrecord.toml: keypad.codes."*1": this is none of the known values; '
                'give digits and their verb, such as "*1" = "stop"'
            ),
        ),
        (
            '[keypad.codes]\n"*1" = "stop"\n"*12" = "pause"',
            (
                "offrecord.toml: keypad.codes: code '*12' can never be dialled: '*1' fires first; "
                'give digits and their verb, such as "*1" = "stop"'
            ),
        ),
        (
            '[extensions]\npattern = "("',
            (
                "offrecord.toml: extensions.pattern: this regular expression is broken: "
                "missing ), unterminated subpattern at position 0; "
                "give a regular expression that the whole extension must match"
            ),
        ),
        (
            '[routes]\ndefault = ["locl"]',
            "offrecord.toml: routes.default: there is no recorder 'locl'; did you mean `local`?",
        ),
        (
            "[routes]\ndefault = []",
            (
                "offrecord.toml: routes.default: this list is empty; "
                "give a list of recorder names, for calls that no rule matches"
            ),
        ),
        (
            '[[routes.rule]]\nrecorders = ["local"]',
            (
                "offrecord.toml: routes.rule[0]: this rule matches nothing: "
                "add one of trunk, did, queue, agent, extension"
            ),
        ),
        (
            "[recorders.x]\nenabled = true",
            (
                "offrecord.toml: recorders.x.kind: this is missing; "
                "add the kind of recorder, such as asterisk or noojee"
            ),
        ),
        (
            '[sounds]\nfailed = "beep"',
            "offrecord.toml: sounds.failed: this is not a list; give a list of sound names",
        ),
        (
            "[recorders]\nx = 3",
            (
                "offrecord.toml: recorders.x: this is not a table; give tables written as "
                "[recorders.NAME]"
            ),
        ),
    ],
)
def test_each_mistake_is_one_line_with_file_key_cause_and_fix(
    folder: Path, added: str, line: str
) -> None:
    assert lines(folder, f"{LEAST}\n{added}\n") == [line]


def test_every_mistake_is_reported_at_once_and_the_summary_counts_them(folder: Path) -> None:
    path = write(folder, LEAST + "[agi]\nwit = 1\nport = -1\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {"OFFRECORD__LOG__LEVEL": "x"})
    assert [problem.key for problem in caught.value.problems] == [
        "agi.wit",
        "agi.port",
        "log.level",
    ]
    assert str(caught.value).endswith("did you mean `wait`? (and 2 more)")


def test_a_mistake_in_a_drop_in_or_the_environment_names_that_source(folder: Path) -> None:
    write(folder, "[agi]\nport = -1\n", "conf.d/10.toml")
    problems = lines(folder, LEAST, {"OFFRECORD__AGI__WAITT": "1"})
    assert problems[0].startswith("environment OFFRECORD__AGI__WAITT: agi.waitt: unknown key; did")
    assert problems[1].startswith("conf.d/10.toml: agi.port: this is out of range")


def test_a_misspelt_key_is_not_also_reported_as_missing(folder: Path) -> None:
    assert lines(folder, LEAST.replace("username", "usernme")) == [
        "offrecord.toml: ami.usernme: unknown key; did you mean `username`?"
    ]


def test_an_empty_file_asks_for_the_pbx(folder: Path) -> None:
    assert lines(folder, "") == [
        "default: ami: this is missing; add [ami] with at least `username` and `secret`"
    ]


def test_no_file_and_broken_toml_are_told_with_the_place(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file; create it"):
        load(folder / "nowhere.toml", {})
    assert re.fullmatch(
        r"offrecord\.toml: this is not TOML: .*\(at line 2, column \d+\); correct that line",
        lines(folder, "[ami]\nport = = 3\n")[0],
    )


def test_a_secret_to_another_machine_in_the_clear_has_to_be_accepted(folder: Path) -> None:
    away = LEAST.replace("secret = {", 'host = "192.0.2.7"\nsecret = {')
    assert lines(folder, away) == [
        (
            "offrecord.toml: ami: the secret would go to 192.0.2.7 in the clear: "
            "set `tls = true`, or accept it by `allow_plain_tcp = true`"
        )
    ]
    assert load(folder / "offrecord.toml", {"OFFRECORD__AMI__TLS": "true"}).config.ami.tls
    env = {"OFFRECORD__AMI__ALLOW_PLAIN_TCP": "true"}
    assert load(folder / "offrecord.toml", env).config.ami.host == "192.0.2.7"


def test_a_key_that_tls_alone_would_use_is_not_ignored_without_tls(folder: Path) -> None:
    (line,) = lines(folder, LEAST.replace("secret = {", 'ca_file = "ca.pem"\nsecret = {'))
    assert "`ca_file` is used by TLS only" in line


def test_routes_to_disabled_recorders_are_warned_of(folder: Path) -> None:
    path = write(folder, LEAST + "enabled = false\n")
    loaded = load(path, {})
    assert loaded.config.routed() == ()
    assert loaded.warnings == (
        "the default route has no enabled recorder, so its presses will fail",
    )


def test_the_journal_is_found_without_a_look_at_any_secret(tmp_path: Path) -> None:
    path = tmp_path / "offrecord.toml"
    path.write_text(
        '[ami]\nusername = "u"\nsecret = { file = "/nowhere/at.all" }\n'
        '[journal]\npath = "here.sqlite3"\n'
    )

    assert journal_path(path, {}) == tmp_path / "here.sqlite3"
    assert journal_path(path, {"OFFRECORD__JOURNAL__PATH": "/else.db"}) == Path("/else.db")


def test_a_broken_journal_section_is_told_as_by_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "offrecord.toml"
    path.write_text("[journal]\npth = 1\n")

    with pytest.raises(ConfigError, match=r"journal\.pth"):
        journal_path(path, {})
