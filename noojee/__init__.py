# SPDX-License-Identifier: Apache-2.0
"""A client for the call and recording API of Noojee Contact, Administrator and Recorder.

It stops and starts recordings, hangs up, reads recording metadata and follows calls, with both
of the vendor's ways of authentication, asynchronously (`NoojeeClient`) and synchronously
(`NoojeeSyncClient`). It needs nothing else of offrecord.
"""

from noojee.answers import Answer, Kind
from noojee.client import WITHOUT_AGENT, Agent, NoojeeClient, check_server
from noojee.errors import (
    ExpiredError,
    ForbiddenError,
    NoAnswerError,
    NoojeeError,
    NotConnectedError,
    NotUnderstoodError,
    RefusedError,
    ServerFaultError,
    TooSoonError,
    UnprovenError,
    UntrustedError,
)
from noojee.ids import Extension, Target, UniqueId
from noojee.recordings import LiveCall, Poll, RecordingLeg
from noojee.signing import ApiKey, Auth, Signed, sign
from noojee.sync import NoojeeSyncClient
from noojee.wire import Exchange

__all__ = [
    "WITHOUT_AGENT",
    "Agent",
    "Answer",
    "ApiKey",
    "Auth",
    "Exchange",
    "ExpiredError",
    "Extension",
    "ForbiddenError",
    "Kind",
    "LiveCall",
    "NoAnswerError",
    "NoojeeClient",
    "NoojeeError",
    "NoojeeSyncClient",
    "NotConnectedError",
    "NotUnderstoodError",
    "Poll",
    "RecordingLeg",
    "RefusedError",
    "ServerFaultError",
    "Signed",
    "Target",
    "TooSoonError",
    "UniqueId",
    "UnprovenError",
    "UntrustedError",
    "check_server",
    "sign",
]
