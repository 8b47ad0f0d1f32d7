# SPDX-License-Identifier: Apache-2.0
"""One press of the one-shot script: from the environment to the commands that tell the verdict.

Asterisk waits for the process while the presser is cut off from the call: its start is dead air.
Nothing heavy is imported, and pyst2 only after the press is sent, while the daemon works. The
channel is never answered, hung up or moved. A press that was not accepted is reported on the
console and by the failure tone.
"""

import os
import select
import time

from agi.arguments import USAGE, Arguments, ArgumentsError
from agi.errors import AgiError, AgiHangup, AgiInjection, AgiRefused, HandoverError
from agi.handover import PressRequest, press_id_in, verdict_in
from agi.handover_client import HandoverClient
from agi.verdict_message import FAILED, NOT_PLAYED, PENDING, AgiVerdict, telling
from agi.wire import EnvironmentBuffer, printable

# The type checkers know this name; `typing` itself would cost more than the rest of the module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from agi.pyst2_script import PystChannel
    from agi.wire import Environment

_CHUNK = 4096
_MARGIN = 0.2
"""Seconds after `wait` for the daemon's message that the verdict is still pending."""
SPEAK = 6.0
"""Seconds after the deadline for the commands to Asterisk. Then the alarm ends the script."""


def run(
    words: list[str],
    environ: "Mapping[str, str]",
    *,
    infd: int = 0,
    outfd: int = 1,
    speak: float = SPEAK,
) -> None:
    """Process one press. `infd`, `outfd`: the pipes to Asterisk. `speak`: seconds.

    Sets the process's alarm and its handlers for SIGALRM and SIGHUP: only for a separate process.
    """
    started = time.monotonic()
    if os.isatty(infd):
        os.write(outfd, USAGE.encode())
        return
    arguments = Arguments(environ)
    problem = ""
    try:
        arguments.take(words)
    except ArgumentsError as error:
        problem = f"{error}; usage: AGI(offrecord-agi,VERB[,TONE][,name=value])"
    buffer = EnvironmentBuffer()
    environment = _read_environment(buffer, infd, started + arguments.deadline)
    if environment is None:
        return
    # The client's deadline runs from here; what reading the environment took is part of it.
    deadline = max(0.0, started + arguments.deadline - time.monotonic())
    with HandoverClient(arguments.socket, deadline=deadline) as client:
        failure = _failure(problem, arguments) if problem else _send(client, environment, arguments)
        # The daemon works now; importing pyst2 takes about as long as the first verdicts.
        _set_alarm(deadline + speak)
        channel = _channel(environment, infd, outfd, buffer.rest)
        press_id, verdict = ("", failure) if failure else _receive(client, arguments)
    try:
        _tell(channel, press_id, verdict)
    except AgiHangup:
        return  # no one is left to be told; an accepted press goes on in the daemon


def _read_environment(buffer: EnvironmentBuffer, infd: int, ends: float) -> "Environment | None":
    """Return the environment, or None when no channel sent one in time."""
    try:
        while (left := ends - time.monotonic()) > 0:
            if not select.select([infd], [], [], left)[0]:
                return None
            data = os.read(infd, _CHUNK)
            if not data:
                os.write(2, USAGE.encode())
                return None
            if (environment := buffer.feed(data)) is not None:
                return environment
    except AgiError:
        os.write(2, USAGE.encode())
    return None


def _send(
    client: HandoverClient, environment: "Environment", arguments: Arguments
) -> AgiVerdict | None:
    """Send the press; return the failure if it could not be sent."""
    options = dict(arguments.options)
    request = PressRequest(
        verb=arguments.verb,
        channel=environment.channel,
        uniqueid=environment.uniqueid,
        wait=arguments.wait,
        agent=options.pop("agent", ""),
        recorder=options.pop("recorder", ""),
        caller_number=environment.get("agi_callerid"),
        caller_name=environment.get("agi_calleridname"),
        context=environment.get("agi_context"),
        extension=environment.get("agi_extension"),
        options=options,
    )
    try:
        client.send(request.message())
    except HandoverError as error:
        return _not_taken(error, arguments, sure=True)
    return None


def _receive(client: HandoverClient, arguments: Arguments) -> tuple[str, AgiVerdict]:
    """Wait for the daemon's two lines; return the press id, empty if unknown, and a verdict."""
    try:
        press_id = press_id_in(client.receive() or {})
    except HandoverError as error:
        # Sure only if the daemon says so: after a timeout it may have the press anyway.
        return "", _not_taken(error, arguments, sure=error.cause == "declined")
    try:
        message = client.receive(within=arguments.wait + _MARGIN)
        # The daemon's own `pending` has no sound: the dialplan chooses that one.
        if message is not None and (verdict := verdict_in(message)).outcome != PENDING:
            return press_id, verdict
    except HandoverError as error:
        if error.cause != "timeout":
            text = f"{arguments.verb} is taken as {press_id}, then {error}; {error.fix}"
            return press_id, _failure(text, arguments)
    sounds = (arguments.interim,) if arguments.interim else ()
    text = f"{arguments.verb} is taken as {press_id}, its verdict is not known yet"
    return press_id, AgiVerdict(PENDING, sounds, text)


def _not_taken(error: HandoverError, arguments: Arguments, *, sure: bool) -> AgiVerdict:
    what = "is NOT taken" if sure else "may not be taken"
    return _failure(f"{arguments.verb} {what}: {error}; {error.fix}", arguments)


def _failure(text: str, arguments: Arguments) -> AgiVerdict:
    return AgiVerdict(FAILED, (arguments.tone,), text)


def _set_alarm(seconds: float) -> None:
    """End the process, with exit code 0, when it still runs after so many seconds."""
    import signal  # after the press: it imports `enum`, 6 ms

    # Not by an exception: inside a destructor it would be dropped, and the script would stay.
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _channel(environment: "Environment", infd: int, outfd: int, rest: bytes) -> "PystChannel":
    from agi.pyst2_script import PystChannel

    return PystChannel(environment, infd=infd, outfd=outfd, rest=rest)


def _tell(channel: "PystChannel", press_id: str, verdict: AgiVerdict) -> None:
    wrong = [f"no name of a sound: {sound!r}" for sound in verdict.unplayable]
    for name, *words in telling(press_id, verdict):
        try:
            if channel.execute(name, *words) == NOT_PLAYED:
                wrong.append(f"no file for a sound of {verdict.sounds}")
        except (AgiRefused, AgiInjection) as error:
            wrong.append(str(error))
    if wrong:
        channel.execute("VERBOSE", printable(f"offrecord: not told: {'; '.join(wrong)}"), "1")
