# SPDX-License-Identifier: Apache-2.0
"""The files beside the program: systemd unit, container file, dashboard, alert rules."""

import json
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from offrecord.status.metrics import METRICS
from tests.kits.waiting import patience
from tests.kits.wheel_kit import build_wheel, wheel_of_this_run

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
UNIT = PACKAGING / "offrecord.service"
BY_NAME = {told.full: told for told in METRICS}
OF_PROMETHEUS = {"instance", "job", "le"}

# systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_the_service_is_exposed_to_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=16", str(UNIT)],
        capture_output=True, text=True, check=False, timeout=patience(),
    )  # fmt: skip
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)

    assert exposure, done.stderr
    assert float(exposure[1]) <= 1.6
    assert done.returncode == 0


def test_the_service_can_still_do_what_the_daemon_does() -> None:
    lines = UNIT.read_text().splitlines()
    filters = [line for line in lines if line.startswith("SystemCallFilter=")]

    assert filters.index("SystemCallFilter=@chown") > filters.index(
        "SystemCallFilter=~@privileged @resources"
    )  # [socket] group
    assert not [line for line in lines if line.startswith("PrivateUsers=")]  # SO_PEERCRED
    assert "StateDirectory=offrecord" in lines  # the journal, the tokens
    assert "ProtectSystem=strict" in lines  # recordings are read, and never written


# the container


def instructions() -> list[tuple[str, list[str]]]:
    text = (PACKAGING / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [
        (word, shlex.split(rest) if word == "COPY" else [rest])
        for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines() if line)
    ]


KNOWN = {
    "ARG", "FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK",
    "ENTRYPOINT", "CMD",
}  # fmt: skip


def test_the_container_runs_as_a_user_of_its_own_and_says_how_it_is() -> None:
    given = instructions()
    words = [word for word, _ in given]
    told = dict(given[len(words) - words[::-1].index("FROM") :])

    assert set(words) <= KNOWN
    assert words.count("FROM") == 2
    # By number, so that a host that asks for no root can see that it is none.
    assert told["USER"] == ["10410:10410"]
    assert "--uid 10410 --user-group" in told["RUN"][0]
    assert json.loads(told["ENTRYPOINT"][0]) + json.loads(told["CMD"][0]) == ["offrecord", "run"]
    assert json.loads(told["HEALTHCHECK"][0].partition("CMD ")[2])[0] == "offrecord"


def test_what_the_container_copies_is_all_that_the_wheel_needs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copied = tmp_path / "src"
    for word, paths in instructions():
        if word != "COPY" or paths[0].startswith("--from"):
            continue
        *sources, target = paths
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, copied / target)
            else:
                (copied / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, copied / target)

    wheels = build_wheel(copied, tmp_path / "wheel"), wheel_of_this_run(tmp_path_factory)
    of_copies, of_all = (set(zipfile.ZipFile(wheel).namelist()) for wheel in wheels)
    assert of_copies == of_all


# what Prometheus and Grafana read


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((PACKAGING / "prometheus/offrecord.rules.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads((PACKAGING / "grafana/offrecord.json").read_text())["panels"])


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def metric(name: str) -> Any:
    """Return what a name in an expression is, where there is such a metric."""
    found = BY_NAME.get(name)
    if found is None and (part := re.fullmatch(r"(\w+)_(bucket|sum|count)", name)):
        found = BY_NAME.get(part[1])
        return found if found and found.kind == "histogram" else None
    return found if found and found.kind != "histogram" else None


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_asks_for_metrics_and_labels_that_there_are(
    where: str, expression: str
) -> None:
    names = set(re.findall(r"\boffrecord_\w+", expression))
    told = {name: metric(name) for name in names}
    labels = set().union(*(one.labels for one in told.values() if one)) | OF_PROMETHEUS
    asked = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression)) | {
        label.strip()
        for listed in re.findall(r"\b(?:by|without) \(([^)]*)\)", expression)
        for label in listed.split(",")
    }

    assert names or expression == 'up{job="offrecord"} == 0', where
    assert None not in told.values(), told
    assert asked <= labels, asked - labels
    for name, one in told.items():
        if one.kind == "gauge":
            continue  # a counter by itself says nothing: only how it grows does
        assert re.search(rf"(?:increase|rate)\({name}|{name}(?:{{[^}}]*}})? (?:unless|offset)",
                         expression), name  # fmt: skip


def test_every_metric_is_shown() -> None:
    shown = {name for _, text in expressions() for name in re.findall(r"\boffrecord_\w+", text)}

    assert set(BY_NAME) == {one.full for one in map(metric, shown) if one}


def test_what_a_rule_says_names_labels_that_its_expression_leaves() -> None:
    for rule in rules():
        texts = " ".join(rule["annotations"].values())
        used = set(re.findall(r"\$labels\.(\w+)", texts)) - {"instance"}
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
        assert used <= kept, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_alert_is_in_the_guide_and_no_other() -> None:
    guide = (ROOT / "docs" / "packages.md").read_text()
    named = re.findall(r"^\| `(Offrecord\w+)` \| (yes|no) \|", guide, re.MULTILINE)

    assert named == [
        (rule["alert"], "yes" if rule["labels"]["severity"] == "page" else "no") for rule in rules()
    ]


def test_no_two_panels_lie_on_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels():
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))


def test_a_legend_names_labels_that_are_left() -> None:
    for panel in panels():
        for target in panel.get("targets", []):
            used = set(re.findall(r"{{(\w+)}}", target["legendFormat"])) - {"instance"}
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert used <= kept, panel["title"]
