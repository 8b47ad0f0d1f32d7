# SPDX-License-Identifier: Apache-2.0
"""The agents' file, read again while the daemon runs."""

from pathlib import Path

import structlog

from offrecord.presses.agent_lookup import AgentFile, Agents


def write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def test_a_file_that_is_replaced_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "agents.csv"
    path.write_text("# extension,login\n\n410, fred\n411,wilma\n")
    agents = Agents({"411": "betty"}, AgentFile(path))
    assert (agents.known("410").login, agents.known("410").source) == ("fred", str(path))
    assert agents.known("411").login == "betty"
    assert agents.known("412").login is None
    assert agents.known(None).login is None

    write(path, "410,barney\n")
    assert agents.known("410").login == "barney"


def test_a_file_that_breaks_is_said_once_and_the_last_good_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "agents.csv"
    path.write_text("410,fred\n")
    file = AgentFile(path)
    write(path, "410\n")
    with structlog.testing.capture_logs() as lines:
        assert file.get("410") == "fred"
        assert file.get("410") == "fred"
    assert [line["event"] for line in lines] == ["agents_file_not_read"]
    assert "line 1" in lines[0]["problem"]

    write(path, "410,wilma\n")
    assert file.get("410") == "wilma"
    path.unlink()
    assert file.get("410") == "wilma"
