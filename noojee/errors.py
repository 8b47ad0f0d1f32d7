# SPDX-License-Identifier: Apache-2.0
"""The errors that this package raises for what a server or a network may do.

NoojeeError
├── NotConnectedError      nothing was sent
│   └── UntrustedError     its certificate is not trusted
├── NoAnswerError          no whole answer came in time
├── ServerFaultError       5xx
├── NotUnderstoodError     HTML, junk, a redirect: not the API's own voice
├── RefusedError           a negative Code, or 4xx
│   ├── ExpiredError       the pair was refused as too old, twice
│   ├── ForbiddenError     401 or 403
│   └── TooSoonError       the one question a minute was already asked
└── UnprovenError          strict mode: an empty 200, or a positive Code

Wrong arguments raise `ValueError` or `TypeError` before anything is sent.
"""

from noojee.answers import Answer, Kind
from noojee.wire import Exchange

KEY_HINT = "only the global API key reaches it, and only from addresses that Noojee has whitelisted"
WHITELIST_HINT = "Noojee may drop addresses that are not whitelisted"


class NoojeeError(Exception):
    """A request that was not carried out, or perhaps not.

    `message` is one line without secrets. `operation` is what was asked, as `stop`. `status`
    and `code` are the HTTP status and the `Code` of the answer, None without one. `retryable`
    says that the same request may well succeed later with nothing changed; `maybe_done` that
    the server may have carried it out nevertheless: a repetition could do it twice.
    `kind` is what the answer was judged to be, None without one. `exchanges` are the requests
    that were made, in order.
    """

    retryable = False
    maybe_done = False

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int | None = None,
        code: int | None = None,
        retryable: bool | None = None,
        maybe_done: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.status = status
        self.code = code
        self.kind: Kind | None = None
        self.exchanges: tuple[Exchange, ...] = ()
        if retryable is not None:
            self.retryable = retryable
        if maybe_done is not None:
            self.maybe_done = maybe_done

    def again(self) -> "NoojeeError":
        """Return an equal error, for another caller who waited for the same request."""
        error = type(self)(
            self.message,
            operation=self.operation,
            status=self.status,
            code=self.code,
            retryable=self.retryable,
            maybe_done=self.maybe_done,
        )
        error.kind = self.kind
        return error


class NotConnectedError(NoojeeError):
    """There was no connection: nothing was sent."""

    retryable = True


class UntrustedError(NotConnectedError):
    """The server's certificate is not trusted: nothing was sent."""

    retryable = False


class NoAnswerError(NoojeeError):
    """The request was under way and no whole answer came."""

    retryable = True
    maybe_done = True


class ServerFaultError(NoojeeError):
    """The server answered 5xx."""

    retryable = True
    maybe_done = True


class NotUnderstoodError(NoojeeError):
    """The answer is not one the API gives; something else may have spoken."""

    retryable = True
    maybe_done = True


class RefusedError(NoojeeError):
    """The server said no, by a negative `Code` or by a 4xx; it did nothing."""


class ExpiredError(RefusedError):
    """The server called a fresh pair expired, after one refresh."""

    retryable = True


class ForbiddenError(RefusedError):
    """401 or 403: the key, its kind, or the address this request came from."""


class TooSoonError(RefusedError):
    """Not sent: the server takes this question once a minute. `retry_after` is in seconds."""

    retryable = True
    retry_after = 0.0


class UnprovenError(NoojeeError):
    """Strict mode: the server said 200 without a `Code` of 0."""

    maybe_done = True


_CLASSES: dict[Kind, tuple[type[NoojeeError], str]] = {
    Kind.WARNING: (UnprovenError, "answered with a notice"),
    Kind.UNCONFIRMED: (UnprovenError, "answered 200 with an empty body"),
    Kind.EXPIRED: (ExpiredError, "called a fresh timestamp expired"),
    Kind.REFUSED: (RefusedError, "refused"),
    Kind.FORBIDDEN: (ForbiddenError, f"refused the key or this machine; {KEY_HINT}"),
    Kind.CLIENT_ERROR: (RefusedError, "does not know this request; check the address and path"),
    Kind.SERVER_ERROR: (ServerFaultError, "had a fault"),
    Kind.REDIRECT: (NotUnderstoodError, "sent a redirect, which is not followed"),
    Kind.JUNK: (NotUnderstoodError, "sent an answer that is not Noojee's"),
}
"""The error of each kind of answer; `Kind.DONE` has none."""


def error_for(answer: Answer, operation: str) -> NoojeeError:
    """Return the error that an answer stands for. Never call it with `Kind.DONE`."""
    error_class, said = _CLASSES[answer.kind]
    facts = [f"HTTP {answer.status}"]
    if answer.code is not None:
        facts.append(f"Code {answer.code}")
    text = f": {answer.message}" if answer.message else ""
    # A redirect was answered before the API saw the request, and Time changes nothing.
    idle = answer.kind is Kind.REDIRECT or operation == "Time"
    error = error_class(
        f"{operation}: the server {said} ({', '.join(facts)}){text}",
        operation=operation,
        status=answer.status,
        code=answer.code,
        maybe_done=False if idle else None,
        retryable=False if answer.kind is Kind.REDIRECT else None,
    )
    error.kind = answer.kind
    error.exchanges = answer.exchanges
    return error
