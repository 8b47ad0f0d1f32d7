# SPDX-License-Identifier: Apache-2.0
"""The hand-over between script and daemon: messages as tables, the client against a real socket."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from agi.errors import HandoverError
from agi.handover import (
    MAX_LINE,
    PressRequest,
    accepted,
    declined,
    decode,
    encode,
    press_id_in,
    told,
    verdict_in,
)
from agi.handover_client import HandoverClient
from agi.verdict_message import AgiVerdict

REQUEST = PressRequest(
    verb="stop", channel="SIP/410-12FA7B", uniqueid="1700000000.7", wait=0.7, agent="fred"
)


class TestMessages:
    def test_a_request_reads_as_documented(self) -> None:
        message = json.loads(encode(REQUEST.message()))

        assert message == {
            "op": "press",
            "verb": "stop",
            "uniqueid": "1700000000.7",
            "channel": "SIP/410-12FA7B",
            "way": "agi",
            "wait": 0.7,
            "agent": "fred",
            "recorder": "",
            "target": "",
            "caller_number": "",
            "caller_name": "",
            "context": "",
            "extension": "",
            "options": {},
        }

    def test_fields_may_be_left_out_and_unknown_ones_are_ignored(self) -> None:
        message = {"verb": "stop", "channel": "a", "uniqueid": "b", "way": "cli", "later": [1]}
        request = PressRequest.from_message(message)

        assert (request.verb, request.way, request.wait, request.options) == ("stop", "cli", 0, {})

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"verb": ""}, "verb"),
            ({"verb": 1}, "verb"),
            ({"verb": "s" * 1025}, "verb"),
            ({"channel": ""}, "channel"),
            ({"uniqueid": None}, "uniqueid"),
            ({"way": []}, "way"),
            ({"wait": "0.7"}, "wait"),
            ({"wait": True}, "wait"),
            ({"wait": -1}, "wait"),
            ({"wait": 61}, "wait"),
            ({"wait": float("nan")}, "wait"),
            ({"options": []}, "options"),
            ({"options": {"a": 1}}, r"options\.a"),
            ({"agent": {}}, "agent"),
        ],
    )
    def test_a_wrong_field_is_named(self, wrong: dict[str, object], named: str) -> None:
        with pytest.raises(HandoverError, match=rf"^{named} ") as caught:
            PressRequest.from_message({**REQUEST.message(), **wrong})

        assert caught.value.cause == "protocol"

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"stop",
            b"[]",
            b'"stop"',
            b"{",
            b'{"a": "\xe9"}',
            b"[" * 50_000,
            b'{"a": ' + b"9" * 5_000 + b"}",
            b"{}" + b" " * MAX_LINE,
        ],
    )
    def test_a_line_that_is_no_message_is_refused(self, line: bytes) -> None:
        with pytest.raises(HandoverError, match="the other side sent"):
            decode(line)

    def test_a_message_larger_than_a_line_is_not_sent(self) -> None:
        with pytest.raises(HandoverError):
            encode({"text": "a" * MAX_LINE})

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_numbers_that_json_lacks_are_refused(self, value: float) -> None:
        with pytest.raises(ValueError, match="JSON"):
            encode({"wait": value})

    @pytest.mark.parametrize("text", ["\udce9", "😀", "\x00\x1f\x7f", '"\\', "\u2028", "José"])
    def test_any_text_survives_the_way(self, text: str) -> None:
        line = encode({"text": text})

        assert line.isascii()
        assert decode(line) == {"text": text}

    def test_objects_that_json_lacks_are_refused(self) -> None:
        with pytest.raises(TypeError, match="bytes"):
            encode({"channel": b"x"})

    def test_both_answers_survive_the_way(self) -> None:
        verdict = AgiVerdict("confirmed", ("beep", "auth-thankyou"), "stop confirmed\nJosé")

        assert press_id_in(accepted("P1")) == "P1"
        assert verdict_in(told(verdict)) == verdict

    def test_a_long_text_is_cut_and_not_lost(self) -> None:
        assert len(verdict_in(told(AgiVerdict("failed", (), "x" * 90_000))).text) == 1024
        assert len(declined("x" * 90_000, "y" * 90_000)) < MAX_LINE

    def test_a_verdict_may_come_with_more_than_the_script_needs(self) -> None:
        line = b'{"outcome": "confirmed", "text": null, "press": "P1", "recorders": [{}]}'

        assert verdict_in(decode(line)) == AgiVerdict("confirmed")

    @pytest.mark.parametrize("read", [press_id_in, verdict_in])
    def test_an_error_line_takes_the_place_of_either(
        self, read: Callable[[dict[str, object]], object]
    ) -> None:
        with pytest.raises(HandoverError, match="unknown verb") as caught:
            read(decode(declined("unknown verb", "use stop")))

        assert (caught.value.cause, caught.value.fix) == ("declined", "use stop")

    @pytest.mark.parametrize(
        ("read", "message"),
        [
            (press_id_in, {}),
            (press_id_in, {"press": 7}),
            (press_id_in, {"press": ""}),
            (verdict_in, {}),
            (verdict_in, {"outcome": None}),
            (verdict_in, {"outcome": "failed", "sounds": "beep"}),
            (verdict_in, {"outcome": "failed", "sounds": [1]}),
        ],
    )
    def test_an_answer_of_another_shape_is_refused(
        self, read: Callable[[dict[str, object]], object], message: dict[str, object]
    ) -> None:
        with pytest.raises(HandoverError) as caught:
            read(message)

        assert caught.value.cause == "protocol"


class Daemon:
    """The far end: accepts one connection in a thread and does what it is told with it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.got = b""
        self._thread: threading.Thread | None = None

    def serve(self, answer: Callable[[socket.socket], None]) -> None:
        self.listener.listen(8)
        self._thread = threading.Thread(target=self._serve, args=(answer,))
        self._thread.start()

    def _serve(self, answer: Callable[[socket.socket], None]) -> None:
        connection, _ = self.listener.accept()
        with connection:
            while not self.got.endswith(b"\n") and (data := connection.recv(4096)):
                self.got += data
            answer(connection)

    def close(self) -> None:
        self.listener.close()
        if self._thread is not None:
            self._thread.join()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "d.sock")
    try:
        yield made
    finally:
        made.close()


class TestClient:
    def test_one_exchange(self, daemon: Daemon) -> None:
        verdict = AgiVerdict("confirmed", ("beep",), "stop confirmed")
        daemon.serve(lambda peer: peer.sendall(encode(accepted("P1")) + encode(told(verdict))))

        with HandoverClient(daemon.path, deadline=60) as client:
            client.send(REQUEST.message())
            first, second = client.receive(), client.receive(within=60)

        assert first is not None
        assert second is not None
        assert press_id_in(first) == "P1"
        assert verdict_in(second) == verdict
        assert PressRequest.from_message(decode(daemon.got)).message() == REQUEST.message()

    def test_an_answer_may_come_byte_by_byte(self, daemon: Daemon) -> None:
        def slowly(peer: socket.socket) -> None:
            for byte in encode(accepted("P1")):
                peer.sendall(bytes([byte]))

        daemon.serve(slowly)
        with HandoverClient(daemon.path, deadline=60) as client:
            client.send(REQUEST.message())

            assert client.receive() == accepted("P1")

    def test_a_verdict_that_is_late_is_none(self, daemon: Daemon) -> None:
        done = threading.Event()

        def take(peer: socket.socket) -> None:
            peer.sendall(encode(accepted("P1")))
            done.wait()

        daemon.serve(take)
        try:
            with HandoverClient(daemon.path, deadline=60) as client:
                client.send(REQUEST.message())

                assert client.receive() == accepted("P1")
                assert client.receive(within=0.01) is None
        finally:
            done.set()

    def test_a_mute_daemon_ends_at_the_deadline(self, daemon: Daemon) -> None:
        done = threading.Event()

        def stay_mute(_: socket.socket) -> None:
            done.wait()

        daemon.serve(stay_mute)
        try:
            # The clock stands still: only the wait for an answer takes time.
            with HandoverClient(daemon.path, deadline=0.05, clock=lambda: 0.0) as client:
                client.send(REQUEST.message())
                with pytest.raises(HandoverError) as caught:
                    client.receive(within=60)
        finally:
            done.set()

        assert caught.value.cause == "timeout"

    def test_a_daemon_too_busy_to_accept_ends_at_the_deadline(self, daemon: Daemon) -> None:
        daemon.listener.listen(0)
        waiting = []
        by_looks = count(0.0, 0.01)  # every look at the clock is 10 ms later
        try:
            for _ in range(8):
                peer = socket.socket(socket.AF_UNIX)
                peer.setblocking(False)
                waiting.append(peer)
                if peer.connect_ex(daemon.path):
                    break
            with (
                HandoverClient(daemon.path, deadline=0.05, clock=by_looks.__next__) as client,
                pytest.raises(HandoverError) as caught,
            ):
                client.send(REQUEST.message())
        finally:
            for peer in waiting:
                peer.close()

        assert caught.value.cause == "timeout"

    @pytest.mark.parametrize("answer", [b"", b'{"press": "P'])
    def test_a_daemon_that_goes_away_is_said(self, daemon: Daemon, answer: bytes) -> None:
        daemon.serve(lambda peer: peer.sendall(answer))
        with HandoverClient(daemon.path, deadline=60) as client:
            client.send(REQUEST.message())
            with pytest.raises(HandoverError) as caught:
                client.receive()

        assert caught.value.cause == "closed"

    def test_a_line_without_end_is_given_up(self, daemon: Daemon) -> None:
        def flood(peer: socket.socket) -> None:
            try:
                peer.sendall(b"x" * 4 * MAX_LINE)
            except OSError:
                return  # the client has had enough, as it should

        daemon.serve(flood)
        with HandoverClient(daemon.path, deadline=60) as client:
            client.send(REQUEST.message())
            with pytest.raises(HandoverError) as caught:
                client.receive()

        assert caught.value.cause == "protocol"

    def test_no_socket_is_said_with_the_fix(self, tmp_path: Path) -> None:
        with (
            HandoverClient(str(tmp_path / "none.sock"), deadline=60) as client,
            pytest.raises(HandoverError, match=r"none\.sock does not exist") as caught,
        ):
            client.send(REQUEST.message())

        assert caught.value.cause == "missing"
        assert "systemctl start" in caught.value.fix

    def test_a_socket_that_nobody_listens_on_is_said(self, daemon: Daemon) -> None:
        with (
            HandoverClient(daemon.path, deadline=60) as client,
            pytest.raises(HandoverError, match="no daemon listens") as caught,
        ):
            client.send(REQUEST.message())

        assert caught.value.cause == "refused"

    def test_a_path_that_is_too_long_is_said(self) -> None:
        with (
            HandoverClient("/tmp/" + "x" * 200, deadline=60) as client,
            pytest.raises(HandoverError) as caught,
        ):
            client.send(REQUEST.message())

        assert caught.value.cause == "refused"

    def test_a_socket_that_is_not_ours_to_open_is_said(self, daemon: Daemon) -> None:
        daemon.listener.listen(1)
        Path(daemon.path).chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # root may open every socket
        try:
            with (
                HandoverClient(daemon.path, deadline=60) as client,
                pytest.raises(HandoverError, match="not allowed") as caught,
            ):
                client.send(REQUEST.message())
        finally:
            os.seteuid(user)

        assert caught.value.cause == "forbidden"
        assert "group" in caught.value.fix
