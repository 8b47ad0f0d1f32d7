# SPDX-License-Identifier: Apache-2.0
"""The simulated suite itself: statuses, reasons, levels, switches, faults, controls."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bridges.simulators.harness import SimClock
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER, ImagicleSimulator
from bridges.simulators.imagicle.state import Level, Method
from bridges.simulators.imagicle.switches import IMAGICLE_FAULTS, ImagicleSwitches
from bridges.simulators.server import SimServer

LIVE = "/fw/Apps/Recorder/WebAPI/LiveRecordings"
DONE = "/fw/Apps/Recorder/WebAPI/Recordings"
GUID = "75A90276-E47E-4e9e-B463-E3C743D5FF3A"
NOWHERE = "00000000-0000-0000-0000-000000000000"
DEVICE = "SEP123456789ABC"


class Asked:
    """A suite with a recording of 410, and a client of it."""

    def __init__(self, sim: ImagicleSimulator, client: httpx.AsyncClient) -> None:
        self.sim = sim
        self.client = client
        self.live = sim.state.live[0]

    async def __call__(
        self,
        method: str,
        path: str = LIVE,
        body: Any = None,
        *,
        user: str = DEMO_USER,
        **query: str,
    ) -> tuple[int, Any]:
        answer = await self.client.request(
            method, path, params=query, auth=(user, DEMO_PASSWORD),
            content=None if body is None else json.dumps(body),
        )  # fmt: skip
        is_json = "json" in answer.headers.get("content-type", "")
        return answer.status_code, answer.json() if is_json else None


@asynccontextmanager
async def node(**switches: Any) -> AsyncIterator[Asked]:
    now = [1_700_000_000.0]
    sim = ImagicleSimulator(
        switches=ImagicleSwitches(**{"profile": "2025", **switches}),
        clock=SimClock(source=lambda: now[0]),
    )
    for level in Level:
        sim.state.add_account(level.name.lower(), DEMO_PASSWORD, level)
    sim.state.add_account(DEMO_USER, DEMO_PASSWORD, number="410")
    sim.state.add_line("410", DEVICE)
    sim.state.record("410", "225", id=GUID, username="fred", numeric_id="7")
    async with (
        SimServer(sim) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        yield Asked(sim, client)


@pytest.mark.parametrize(
    ("method", "path", "query", "answer"),
    [
        ("DELETE", f"{LIVE}/{GUID}", {}, (204, None)),
        ("DELETE", f"{LIVE}/{GUID.lower()}/", {}, (204, None)),
        ("DELETE", LIVE.lower(), {"directoryNumber": "410"}, (204, None)),
        ("DELETE", LIVE, {"deviceName": DEVICE}, (204, None)),
        ("DELETE", LIVE, {"deviceName": DEVICE, "directoryNumber": "410"}, (204, None)),
        ("DELETE", LIVE, {"deviceName": "SEP9", "directoryNumber": "410"}, (409, None)),
        ("DELETE", LIVE, {"deviceName": DEVICE, "directoryNumberr": "411"}, (204, None)),
        ("DELETE", LIVE, {"directoryNumberr": "410"}, (400, {"reason": 0})),
        ("DELETE", LIVE, {}, (400, {"reason": 0})),
        ("DELETE", LIVE, {"directoryNumber": "", "deviceName": ""}, (400, {"reason": 0})),
        ("DELETE", LIVE, {"directoryNumber": "411"}, (409, None)),
        ("DELETE", f"{LIVE}/{NOWHERE}", {}, (409, None)),
        ("DELETE", f"{LIVE}/no-guid", {}, (400, {"reason": 0})),
        ("DELETE", f"{LIVE}/Mine", {}, (204, None)),
        ("PUT", f"{LIVE}/Pause", {}, (400, {"reason": 0})),
        ("PUT", f"{LIVE}/Pause", {"directoryNumber": "410"}, (204, None)),
        ("PUT", f"{LIVE}/Pause", {"directoryNumber": "411"}, (409, None)),
        ("PUT", f"{LIVE}/Resume", {"directoryNumber": "410"}, (429, None)),
        ("PUT", f"{LIVE}/{GUID}/Pause", {}, (204, None)),
        ("PUT", f"{LIVE}/{GUID}/Resume", {}, (429, None)),
        ("PUT", f"{LIVE}/{NOWHERE}/Pause", {}, (409, None)),
        ("PUT", f"{LIVE}/no-guid/Pause", {}, (400, {"reason": 0})),
        ("GET", f"{LIVE}/{GUID}", {}, (404, None)),
        ("PATCH", LIVE, {}, (404, None)),
        ("GET", "/elsewhere", {}, (404, None)),
    ],
)
async def test_a_request_is_answered_as_documented(
    method: str, path: str, query: dict[str, str], answer: tuple[int, Any]
) -> None:
    async with node() as asked:
        assert await asked(method, path, **query) == answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ({"monitorable": False}, (400, {"reason": 1, "deviceName": DEVICE})),
        ({"automatic": True}, (400, {"reason": 2})),
        ({"method": Method.SIPREC}, (400, {"reason": 2})),
        ({"method": Method.NETWORK, "monitorable": False},
         (400, {"reason": 1, "deviceName": DEVICE})),
        ({"method": Method.DIAL_IN, "monitorable": False}, (204, None)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_id", [True, False])
async def test_what_cannot_be_stopped_is_refused_with_its_reason(
    line: dict[str, Any], answer: tuple[int, Any], *, by_id: bool
) -> None:
    async with node() as asked:
        for name, value in line.items():
            setattr(asked.live.line, name, value)
        target = (f"{LIVE}/{GUID}", {}) if by_id else (LIVE, {"directoryNumber": "410"})
        assert await asked("DELETE", target[0], **target[1]) == answer
        assert bool(asked.sim.state.live) is (answer[0] != 204)


@pytest.mark.parametrize(
    ("body", "line", "status", "reason"),
    [
        ({"directoryNumber": "411"}, {}, 201, None),
        ({"deviceName": "SEP000000000411"}, {}, 201, None),
        ({}, {}, 400, 0),
        ({"directoryNumber": "999"}, {}, 400, 1),
        ({"directoryNumber": "411"}, {"monitorable": False}, 400, 1),
        ({"directoryNumber": "411", "mode": 1}, {"monitorable": False}, 201, None),
        ({"directoryNumber": "411", "mode": 2}, {}, 400, 2),
        ({"directoryNumber": "411"}, {"automatic": True}, 400, 4),
        ({"directoryNumber": "410"}, {}, 429, None),
    ],
)
async def test_a_start_is_answered_as_documented(
    body: dict[str, Any], line: dict[str, Any], status: int, reason: int | None
) -> None:
    async with node() as asked:
        asked.sim.state.add_line("411", **line)
        answer = await asked("POST", LIVE, body)
        assert answer[0] == status
        assert reason is None or answer[1]["reason"] == reason


async def test_without_a_body_a_start_is_of_ones_own_line() -> None:
    async with node() as asked:
        asked.sim.state.stop(asked.live)
        status, made = await asked("POST")
        assert status == 201
        assert asked.sim.state.live[0].id == made["id"]
        assert await asked("POST", user="complete") == (400, {"reason": 3})


async def test_the_generation_of_2022_has_no_mine_no_pause_and_no_empty_start() -> None:
    async with node(profile="2022") as asked:
        assert await asked("DELETE", f"{LIVE}/Mine") == (400, {"reason": 0})
        assert (await asked("PUT", f"{LIVE}/{GUID}/Pause"))[0] == 404
        assert (await asked("PUT", f"{LIVE}/Pause", directoryNumber="410"))[0] == 404
        assert await asked("POST") == (400, {"reason": 0})
        assert (await asked("POST", LIVE, {"directoryNumber": "410"}))[0] == 409


async def test_the_list_shows_neither_line_nor_device() -> None:
    async with node() as asked:
        asked.sim.clock.advance(3725)
        status, [one] = await asked("GET", directoryNumber="410")
        assert status == 200
        assert one == {
            "id": GUID,
            "duration": "PT1H2M5S",
            "startedAt": "2023-11-14T22:13:20Z",
            "localParty": {"username": "fred"},
            "remoteParty": {"firstName": "", "lastName": "", "phoneNumber": "225"},
            "isPaused": False,
        }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 2), ({"directoryNumber": "410"}, 1), ({"directoryNumber": "9"}, 0),
        ({"deviceName": DEVICE}, 1), ({"username": "fred"}, 1), ({"numericUserId": "7"}, 1),
        ({"directoryNumber": "410", "username": "wilma"}, 0), ({"directoryNumber": ""}, 2),
        ({"strange": "x"}, 2),
    ],
)  # fmt: skip
async def test_filters_of_the_list_are_combined(query: dict[str, str], count: int) -> None:
    async with node() as asked:
        asked.sim.state.record("411", "226", username="wilma")
        assert len((await asked("GET", **query))[1]) == count


LEVELS = {
    "none": (403, 403, 403, 403),
    "record_only": (403, 403, 409, 403),
    "base": (403, 403, 409, 200),
    "complete": (200, 204, 409, 200),
}


@pytest.mark.parametrize(("level", "statuses"), LEVELS.items())
async def test_a_level_gives_what_it_gives(level: str, statuses: tuple[int, ...]) -> None:
    async with node() as asked:
        got = [
            (await asked("GET", user=level))[0],
            (await asked("DELETE", f"{LIVE}/{GUID}", user=level))[0],
            (await asked("DELETE", f"{LIVE}/Mine", user=level))[0],
            (await asked("GET", DONE, user=level))[0],
        ]
        assert tuple(got) == statuses


@pytest.mark.parametrize(
    "header",
    ["", "Bearer x", "Basic !!", "Basic bm9jb2xvbg==", "Basic " + b64encode(b"myuser:x").decode()],
)
async def test_wrong_credentials_are_401(header: str) -> None:
    async with node() as asked:
        answer = await asked.client.get(LIVE, headers={"Authorization": header} if header else {})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        asked.sim.switches.www_authenticate = False
        answer = await asked.client.get(LIVE)
        assert "www-authenticate" not in answer.headers


async def test_an_account_of_single_sign_on_needs_the_setting() -> None:
    async with node() as asked:
        asked.sim.state.accounts[DEMO_USER].sso = True
        assert (await asked("GET"))[0] == 401
        asked.sim.switches.allow_sso = True
        assert (await asked("GET"))[0] == 200


async def test_wrong_passwords_lock_an_account_where_so_set() -> None:
    async with node(lock_after=2) as asked:
        for _ in range(2):
            await asked.client.get(LIVE, auth=(DEMO_USER, "wrong"))
        assert (await asked("GET"))[0] == 401


SWITCHES: list[tuple[dict[str, Any], str, str, dict[str, str], tuple[int, Any]]] = [
    ({"number_key": "misspelt"}, "DELETE", LIVE, {"directoryNumber": "410"}, (400, {"reason": 0})),
    ({"number_key": "misspelt"}, "DELETE", LIVE, {"directoryNumberr": "410"}, (204, None)),
    ({"number_key": "misspelt"}, "GET", LIVE, {"directoryNumber": "9"}, (200, [])),
    ({"number_key": "both"}, "DELETE", LIVE, {"directoryNumberr": "410"}, (204, None)),
    ({"reason_form": "text"}, "DELETE", LIVE, {}, (400, {"reason": "0"})),
    ({"reason_form": "name"}, "DELETE", LIVE, {}, (400, {"reason": "MissingParameters"})),
    ({"reason_form": "missing"}, "DELETE", LIVE, {}, (400, {})),
    ({"unknown_id": 404}, "DELETE", f"{LIVE}/{NOWHERE}", {}, (404, None)),
    ({"literal_first": False}, "DELETE", f"{LIVE}/Mine", {}, (400, {"reason": 0})),
    ({"id_case": "exact"}, "DELETE", f"{LIVE}/{GUID.lower()}", {}, (409, None)),
    ({"empty_value": "literal"}, "DELETE", LIVE, {"directoryNumber": ""}, (409, None)),
    ({"path_case": "exact"}, "DELETE", LIVE.lower(), {"directoryNumber": "410"}, (404, None)),
    ({"has_list": False}, "GET", LIVE, {}, (404, None)),
]


@pytest.mark.parametrize(("switches", "method", "path", "query", "answer"), SWITCHES)
async def test_a_switch_changes_what_it_says(
    switches: dict[str, Any], method: str, path: str, query: dict[str, str], answer: tuple[int, Any]
) -> None:
    async with node(**switches) as asked:
        assert await asked(method, path, **query) == answer


async def test_who_may_list_is_a_switch() -> None:
    async with node(list_level="base") as asked:
        assert (await asked("GET", user="base"))[0] == 200


async def test_a_dial_in_by_hand_has_no_device() -> None:
    for found, status in ((False, 409), (True, 204)):
        async with node(dial_in_by_device=found) as asked:
            asked.live.line.method = Method.DIAL_IN
            assert len((await asked("GET", deviceName=DEVICE))[1]) == found
            assert (await asked("DELETE", deviceName=DEVICE))[0] == status


@pytest.mark.parametrize(
    ("several", "status", "left"), [("oldest", 204, 1), ("all", 204, 0), ("conflict", 409, 2)]
)
async def test_several_on_a_line_are_met_as_set(several: str, status: int, left: int) -> None:
    async with node(several_on_line=several) as asked:
        newer = asked.sim.state.record("410")
        assert (await asked("DELETE", directoryNumber="410"))[0] == status
        assert len(asked.sim.state.live) == left
        assert left != 1 or asked.sim.state.live == [newer]


@pytest.mark.parametrize(("refuses", "status"), [(False, 204), (True, 400)])
async def test_a_pause_ignores_the_reasons_of_a_stop_unless_set(
    status: int, *, refuses: bool
) -> None:
    async with node(pause_refuses=refuses) as asked:
        asked.live.line.automatic = True
        assert (await asked("PUT", f"{LIVE}/{GUID}/Pause"))[0] == status


@pytest.mark.parametrize(
    ("form", "text"),
    [("zulu", "2023-11-14T22:13:20Z"), ("offset", "2023-11-14T23:13:20+01:00"),
     ("naive", "2023-11-14T23:13:20")],
)  # fmt: skip
async def test_times_are_written_as_set(form: str, text: str) -> None:
    async with node(started_at=form) as asked:
        assert (await asked("GET"))[1][0]["startedAt"] == text


async def test_a_stopped_recording_lingers_as_long_as_set() -> None:
    async with node(linger=2.0) as asked:
        await asked("DELETE", f"{LIVE}/{GUID}")
        assert len((await asked("GET"))[1]) == 1
        assert (await asked("DELETE", f"{LIVE}/{GUID}"))[0] == 409
        asked.sim.clock.advance(2)
        assert (await asked("GET"))[1] == []


FAULTS = {
    "swallow": (204, None), "contradiction": (409, None), "automatic": (400, {"reason": 2}),
    "not_monitorable": (400, {"reason": 1, "deviceName": DEVICE}), "reason=7": (400, {"reason": 7}),
    "bare_400": (400, None), "unauthorized": (401, None), "forbidden": (403, None),
    "state": (429, None), "fault": (500, None), "licence": (501, None), "shortage": (503, None),
    "service_away": (504, None), "html_200": (200, None), "redirect": (302, None),
    "status=418": (418, None),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "answer"), FAULTS.items())
async def test_a_fault_answers_and_does_nothing(fault: str, answer: tuple[int, Any]) -> None:
    async with node() as asked:
        asked.sim.faults.add(fault)
        assert await asked("DELETE", f"{LIVE}/{GUID}") == answer
        assert asked.sim.state.live == [asked.live]


@pytest.mark.parametrize(("fault", "status"), [("late_fault", 500), ("late_504", 504)])
async def test_a_late_fault_does_it_first(fault: str, status: int) -> None:
    async with node() as asked:
        asked.sim.faults.add(fault)
        assert (await asked("DELETE", f"{LIVE}/{GUID}"))[0] == status
        assert asked.sim.state.live == []


async def test_faults_of_lists_and_starts() -> None:
    async with node() as asked:
        for fault, method, answer in (
            ("empty", "GET", (200, [])), ("junk", "GET", (200, "SIM: nothing anyone documents"))
        ):  # fmt: skip
            asked.sim.faults.add(f"{fault}*1")
            assert await asked(method) == answer
        asked.sim.faults.add("swallow")
        assert (await asked("POST", LIVE, {"directoryNumber": "410"}))[0] == 201
        assert len(asked.sim.state.live) == 1


def test_every_fault_is_tried_somewhere() -> None:
    tried = {fault.partition("=")[0] for fault in FAULTS}
    elsewhere = {"late_fault", "late_504", "empty", "junk"}
    network = {"reset", "stall", "slow_answer", "half", "drop_after_effect"}
    assert tried | elsewhere | network == set(IMAGICLE_FAULTS)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 3), ({"localPartyNumber": "410"}, 2), ({"ownerUsername": "wilma"}, 1),
        ({"direction": "1"}, 3), ({"direction": "2"}, 0), ({"remoteParty": "+39225"}, 1),
        ({"remotePartyNumber": "contains:+39"}, 2), ({"remoteParty": "contains:2"}, 3),
        ({"startTime": "before:2023-11-14T22:13:20Z"}, 0),
        ({"startTime": "after:2023-11-14T22:13:20Z"}, 1),
        ({"startTime": "2023-11-14T22:13:20Z"}, 2),
        ({"startTime": "between:2023-11-14T22:13:20Z;2023-11-14T22:23:20Z"}, 2),
        ({"pageSize": "2"}, 2), ({"pageSize": "2", "page": "1"}, 1),
    ],
)  # fmt: skip
async def test_completed_recordings_are_listed_newest_first(
    query: dict[str, str], count: int
) -> None:
    async with node() as asked:
        asked.sim.state.record("411", "+39225", username="wilma")
        asked.sim.clock.advance(600)
        asked.sim.state.record("410", "+39226")
        for one in asked.sim.state.live:
            asked.sim.state.stop(one)
        status, page = await asked("GET", DONE, **query)
        assert (status, len(page["recordings"])) == (200, count)
        times = [one["startTime"] for one in page["recordings"]]
        assert times == sorted(times, reverse=True)


async def test_a_completed_recording_has_its_detail() -> None:
    async with node() as asked:
        assert (await asked("GET", f"{DONE}/{GUID}"))[0] == 404
        asked.sim.state.stop(asked.live)
        status, one = await asked("GET", f"{DONE}/{GUID}")
        assert (status, one["id"]) == (200, GUID)
        assert (await asked("GET", DONE, startTime="between:x"))[0] == 400


async def test_another_node_shares_recordings_or_does_not() -> None:
    async with node() as asked:
        shared, apart = asked.sim.other_node(shared=True), asked.sim.other_node(shared=False)
        assert (shared.state.live, apart.state.live) == ([asked.live], [])
        assert apart.state.lines is asked.sim.state.lines
        assert apart.state.accounts is asked.sim.state.accounts


async def test_the_log_masks_the_password_and_tells_the_effect() -> None:
    async with node() as asked:
        await asked("DELETE", f"{LIVE}/{GUID}")
        log = (await asked.client.get("/_sim/log")).text
        assert DEMO_PASSWORD not in log
        assert b64encode(f"{DEMO_USER}:{DEMO_PASSWORD}".encode()).decode() not in log
        [entry] = json.loads(log)
        assert entry["operation"] == "stop"
        assert entry["facts"] == {"account": DEMO_USER, "effect": f"stopped {GUID}"}


async def test_the_control_surface_arranges_a_site() -> None:
    async with node() as asked:
        post = asked.client.post
        line = {"number": "412", "device": "SEP412", "method": "dial_in", "automatic": True}
        assert "412" in (await post("/_sim/lines", json=line)).json()
        made = {"number": "412", "remote": "226", "id": NOWHERE}
        recordings = (await post("/_sim/recordings", json=made)).json()
        assert [one["line"] for one in recordings] == ["410", "412"]
        ended = await asked.client.delete(f"/_sim/recordings/{NOWHERE}")
        assert ended.json()["id"] == NOWHERE
        assert (await asked.client.delete(f"/_sim/recordings/{NOWHERE}")).status_code == 404
        account = {"name": "barney", "password": DEMO_PASSWORD, "level": "base"}
        assert "barney" in (await post("/_sim/accounts", json=account)).json()
        assert (await asked("GET", user="barney"))[0] == 403
        document = (await asked.client.get("/_sim/openapi.json")).json()
        assert document["openapi"] == "3.1.0"


async def test_one_that_is_ready_records_whatever_line_is_asked_for() -> None:
    sim = ImagicleSimulator.ready("other-password")
    async with (
        SimServer(sim) as server,
        httpx.AsyncClient(
            base_url=server.url, trust_env=False, auth=(DEMO_USER, "other-password")
        ) as client,
    ):
        query = {"directoryNumber": "410"}
        [one] = (await client.get(LIVE, params=query)).json()
        assert (await client.delete(f"{LIVE}/{one['id']}")).status_code == 204
        assert (await client.get(LIVE, params=query)).json() == []
        sim.clock.advance(10)
        assert len((await client.get(LIVE, params=query)).json()) == 1
        assert (await client.put(f"{LIVE}/Pause", params=query)).status_code == 204
        assert (await client.delete(LIVE, params={"directoryNumber": "9"})).status_code == 204
