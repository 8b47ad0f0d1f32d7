# SPDX-License-Identifier: Apache-2.0
r"""A press from a short-lived process to the daemon: JSON lines over a Unix socket.

::

    script  {"op": "press", "verb": "stop", "uniqueid": "1700000000.7", "channel": "SIP/410-12FA7B",
             "way": "agi", "wait": 0.7, "agent": "fred", …}
    daemon  {"press": "01J…", "journalled": true}                 taken; false: not on the disk yet
    daemon  {"outcome": "confirmed", "sounds": ["beep"], "text": "…"}
        or  {"error": "…", "fix": "…"}                            in place of either line

One exchange per connection, UTF-8; a line ends with ``\n`` and has at most `MAX_LINE` bytes. The
daemon answers within `wait` seconds; what is not known by then has the outcome `pending`. A
terminal sends the way `cli` and a `target`, and gets the whole verdict as the second line.

Pure functions for both sides; the sender's socket is in `agi.handover_client`, the daemon's in
`offrecord.control.server`.
"""

from agi.errors import HandoverError
from agi.verdict_message import AgiVerdict

# The type checkers know this name; `typing` itself would cost more than the rest of the module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_SOCKET = "/run/offrecord/offrecord.sock"

MAX_LINE = 64 * 1024
"""Bytes of one line, its newline included. It is also asyncio's limit for `readline`."""

WAYS = ("agi", "cli")
"""The ways that presses come over the socket: the one-shot script, and a terminal."""

_MAX_TEXT = 1024


def encode(message: "Mapping[str, object]") -> bytes:
    """Return one message as a line. Raises HandoverError when it is larger than a line may be."""
    data = (_json(message) + "\n").encode("ascii")
    if len(data) > MAX_LINE:
        raise HandoverError(
            "protocol", f"a message of {len(data)} bytes", f"the limit is {MAX_LINE} bytes"
        )
    return data


def decode(line: bytes) -> dict[str, object]:
    """Return the message in a line. Raises HandoverError when it is none of ours."""
    import json  # here, so that the script has sent its press before it pays for this

    if len(line) > MAX_LINE:
        raise not_ours(f"a line of {len(line)} bytes")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise not_ours("a line that is not JSON") from error
    if not isinstance(message, dict):
        raise not_ours("a line that is not a JSON object")
    return message


def not_ours(what: str) -> HandoverError:
    """Return the error for something on the socket that is not this protocol."""
    fix = "make sure that script and daemon are of the same version"
    return HandoverError("protocol", f"the other side sent {what}", fix)


def _json(value: object) -> str:
    """JSON without `json`: that module imports `re` and costs the script 10 ms before the press."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _json_string(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if value - value != 0:
            raise ValueError("JSON has no infinity and no NaN")
        return float.__repr__(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_json(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json_string(k)}:{_json(v)}" for k, v in value.items()) + "}"
    raise TypeError(f"no JSON for {type(value).__name__}")


def _json_string(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return '"' + "".join(_json_unit(code) for code in codes) + '"'


def _json_unit(code: int) -> str:
    char = chr(code)
    return char if " " <= char <= "~" and char not in '"\\' else f"\\u{code:04x}"


class PressRequest:
    """A press on its way to the daemon; the fields are those of `AgiPress`, and two more.

    `wait` is how many seconds the sender stays for the verdict. `target` names the call where no
    channel pressed (way `cli`): an extension, a uniqueid, a channel or a linkedid. `agent` is the
    recorders' name for the person, `recorder` the only recorder to ask; both are empty otherwise.
    `options` are the other words of the dialplan.
    """

    __slots__ = (
        "agent",
        "caller_name",
        "caller_number",
        "channel",
        "context",
        "extension",
        "options",
        "recorder",
        "target",
        "uniqueid",
        "verb",
        "wait",
        "way",
    )

    def __init__(
        self,
        *,
        verb: str,
        channel: str,
        uniqueid: str,
        wait: float,
        way: str = "agi",
        target: str = "",
        agent: str = "",
        recorder: str = "",
        caller_number: str = "",
        caller_name: str = "",
        context: str = "",
        extension: str = "",
        options: "Mapping[str, str] | None" = None,
    ) -> None:
        self.verb = verb
        self.channel = channel
        self.uniqueid = uniqueid
        self.wait = wait
        self.target = target
        self.way = way
        self.agent = agent
        self.recorder = recorder
        self.caller_number = caller_number
        self.caller_name = caller_name
        self.context = context
        self.extension = extension
        self.options = dict(options or {})

    def message(self) -> dict[str, object]:
        """Return the request as `encode` takes it."""
        return {"op": "press", **{name: getattr(self, name) for name in self.__slots__}}

    @classmethod
    def from_message(cls, message: "Mapping[str, object]") -> "PressRequest":
        """Read a decoded request. Raises HandoverError that names the field which is wrong.

        A field that is null counts as left out. Without a way it is a press from a terminal.
        """
        texts = {
            name: _text(message, name) for name in cls.__slots__ if name not in ("options", "wait")
        }
        texts["way"] = texts["way"] or "cli"
        if texts["way"] not in WAYS:
            raise _wrong("way", f"one of {', '.join(WAYS)}")
        needed = ["verb"]
        if texts["way"] == "agi":
            needed += ["channel", "uniqueid"]
        elif not texts["uniqueid"]:
            needed.append("target")
        for name in needed:
            if not texts[name]:
                raise _wrong(name, "a text that is not empty")
        wait = message.get("wait")
        if wait is None:
            wait = 0.0
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= 60:
            raise _wrong("wait", "a number of seconds from 0 to 60")
        options = message.get("options")
        if options is None:
            options = {}
        if not isinstance(options, dict):
            raise _wrong("options", "an object of texts")
        return cls(
            **texts,
            wait=float(wait),
            options={name: _text(options, name, f"options.{name}") for name in options},
        )


def _text(message: "Mapping[str, object]", name: str, field: str = "") -> str:
    value = message.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _wrong(field or name, f"a text of at most {_MAX_TEXT} characters")
    return value


def _wrong(name: str, wanted: str) -> HandoverError:
    return HandoverError("protocol", f"{name} is wrong in the request", f"send {wanted}")


def accepted(press_id: str, *, journalled: bool = True) -> dict[str, object]:
    """Return the daemon's first message: the press is taken under this id.

    `journalled` is False where it is not on the disk yet.
    """
    return {"press": press_id, "journalled": journalled}


def told(verdict: AgiVerdict) -> dict[str, object]:
    """Return the daemon's second message: the verdict."""
    return {
        "outcome": verdict.outcome, "sounds": list(verdict.sounds), "text": verdict.text[:_MAX_TEXT]
    }  # fmt: skip


def declined(error: str, fix: str) -> bytes:
    """Return the line of a daemon that does not take the press, or lost its verdict."""
    return encode({"error": error[:_MAX_TEXT], "fix": fix[:_MAX_TEXT]})


def press_id_in(message: "Mapping[str, object]") -> str:
    """Read the first line. Raises HandoverError, with cause `declined` for an error line."""
    _raise_error_line(message)
    press_id = message.get("press")
    if not isinstance(press_id, str) or not press_id:
        raise not_ours("an answer without a press")
    return press_id


def verdict_in(message: "Mapping[str, object]") -> AgiVerdict:
    """Read the second line. Raises HandoverError, with cause `declined` for an error line."""
    _raise_error_line(message)
    outcome, sounds = message.get("outcome"), message.get("sounds", [])
    if not isinstance(outcome, str) or not outcome:
        raise not_ours("a verdict without an outcome")
    if not isinstance(sounds, list) or not all(isinstance(sound, str) for sound in sounds):
        raise not_ours("a verdict whose sounds are no texts")
    text = message.get("text", "")
    return AgiVerdict(outcome, tuple(sounds), text[:_MAX_TEXT] if isinstance(text, str) else "")


def _raise_error_line(message: "Mapping[str, object]") -> None:
    if "error" in message:
        raise HandoverError(
            "declined", str(message["error"]), str(message.get("fix", "see the daemon's log"))
        )
