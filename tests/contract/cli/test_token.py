# SPDX-License-Identifier: Apache-2.0
"""`offrecord token` as it is typed."""

import time
from pathlib import Path

import pytest

from offrecord.base.errors import Exit
from offrecord.cli import main as cli
from offrecord.web.tokens import Scope, Tokens
from tests.kits.daemon_kit import Ran


class Here:
    """Runs commands in this process, on the tokens of a configuration."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.file = folder / "state" / "tokens.json"
        self._config = folder / "offrecord.toml"
        self._config.write_text(f'[api]\ntokens = "{self.file}"\n')

    def __call__(self, *words: str) -> Ran:
        with pytest.raises(SystemExit) as left:
            cli.main(["token", *words, "--config", str(self._config)])
        captured = self._capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Here:
    return Here(capsys, tmp_path)


def test_a_token_is_printed_alone_once_and_is_good_for_what_was_asked(run: Here) -> None:
    made = run("add", "crm", "--scope", "press", "--scope", "read", "--expires", "90d")
    [token] = made.out.splitlines()
    client = Tokens(run.file).find(token)

    assert (made.code, made.err) == (Exit.OK, "")
    assert client is not None
    assert client.scopes == ("read", "press")
    assert client.may(Scope.PRESS)
    assert client.expires is not None
    assert abs(client.expires - time.time() - 90 * 86_400) < 60
    assert run.file.stat().st_mode & 0o777 == 0o600
    assert token not in run.file.read_text()
    assert token not in run("list", "--json").out


def test_the_list_says_who_and_what_for_and_what_is_over(run: Here) -> None:
    assert run("list").out == "nobody has a token\n"
    run("add", "crm", "--scope", "press")
    Tokens(run.file).add("old", ["read"], int(time.time()) - 5)
    lines = run("list").out.splitlines()
    told = run("list", "--json").json

    assert [line.split()[:2] for line in lines[1:]] == [["crm", "press"], ["old", "read"]]
    assert "never" in lines[1]
    assert "(over)" in lines[2]
    assert [(one["name"], one["expired"]) for one in told] == [("crm", False), ("old", True)]
    assert not any("hash" in one or "token" in one for one in told)


def test_a_revoked_token_is_good_for_nothing(run: Here) -> None:
    token = run("add", "crm", "--scope", "read", "--json").json["token"]
    gone = run("revoke", "crm")

    assert gone.out == "the token of crm is good for nothing any more\n"
    assert Tokens(run.file).find(token) is None


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add", "crm"), Exit.USAGE, "--scope"),
        (("add", "crm", "--scope", "everything"), Exit.USAGE, "'press'"),
        (("add", "c r m", "--scope", "read"), Exit.USAGE, "use letters"),
        (("add", "crm", "--scope", "read", "--expires", "3h"), Exit.USAGE, "such as 90d"),
        (("add", "taken", "--scope", "read"), Exit.USAGE, "offrecord token revoke taken"),
        (("revoke", "crm"), Exit.NOT_FOUND, "there are: taken"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_what_cannot_be_is_one_line_that_says_what_to_do(
    run: Here, words: tuple[str, ...], code: Exit, says: str
) -> None:
    run("add", "taken", "--scope", "read")
    wrong = run(*words)

    assert (wrong.code, wrong.out) == (code, "")
    assert len(wrong.err.splitlines()) == 1
    assert says in wrong.err
