# SPDX-License-Identifier: Apache-2.0
# (each name says what happened; the tree below says that they are errors)
"""Errors between this process and the manager interface of the PBX.

    AmiError                   code             stands for
    ├── AmiInsecure            ami.insecure     the secret would travel in clear; nothing was sent
    ├── AmiUnreachable         ami.unreachable  no connection, or (ami.not_ami) no Asterisk there
    │   └── AmiUntrusted       ami.untrusted    the PBX's certificate is not trusted
    ├── AmiRefused             ami.refused      the login was refused
    ├── AmiDown                ami.down         no link now, or it was lost before the answer
    ├── AmiTimeout             ami.timeout      the link is up and the answer did not come in time
    ├── AmiInjection           ami.injection    a header that cannot be carried; nothing was sent
    ├── AmiDenied              ami.denied       the PBX answered an action with an error
    ├── AmiUnsafe              ami.unsafe       an action that can harm this PBX; nothing was sent
    └── AmiUnsupported         ami.unsupported  the PBX's version is too old to be followed

`code` is stable: logs, metrics and exit codes use it. `fix` says what the administrator can do. No
message contains a secret or the value of a header.
"""


class AmiError(Exception):
    """Base class. `str()` is one line that names the thing, the problem and the fix."""

    code = "ami.error"

    def __init__(self, message: str, *, fix: str, code: str | None = None) -> None:
        super().__init__(f"{message}; {fix}")
        self.message = message
        self.fix = fix
        if code is not None:
            self.code = code


class AmiInsecure(AmiError):
    """The secret would leave this machine unencrypted."""

    code = "ami.insecure"


class AmiUnreachable(AmiError):
    """Nothing answers at the address, or what answers is no Asterisk manager interface."""

    code = "ami.unreachable"


class AmiUntrusted(AmiUnreachable):
    """The PBX's certificate is not trusted, or is not that of the configured host."""

    code = "ami.untrusted"


class AmiRefused(AmiError):
    """The PBX refused the login. `transient`: waiting may help."""

    code = "ami.refused"

    def __init__(self, message: str, *, fix: str, transient: bool = False) -> None:
        super().__init__(message, fix=fix)
        self.transient = transient


class AmiDown(AmiError):
    """There is no link, or it was lost before the answer.

    `sent`: the action had been sent, and the PBX may have carried it out. The link never sends it
    a second time.
    """

    code = "ami.down"

    def __init__(self, message: str, *, fix: str, sent: bool = False) -> None:
        super().__init__(message, fix=fix)
        self.sent = sent


class AmiTimeout(AmiError):
    """No answer to `action` within `seconds`. The PBX may still carry it out."""

    code = "ami.timeout"

    def __init__(self, action: str, seconds: float) -> None:
        super().__init__(
            f"the PBX did not answer {action} within {seconds:g} s",
            fix="see whether Asterisk is overloaded (core show taskprocessors, core show threads)",
        )
        self.action = action
        self.seconds = seconds


class AmiInjection(AmiError):
    """A header name or value that cannot be sent as it is.

    `header` is its name; the message does not contain the value.
    """

    code = "ami.injection"

    def __init__(self, header: str, why: str) -> None:
        super().__init__(
            f"header {header!r} {why}", fix="nothing was sent; correct what it was made from"
        )
        self.header = header


class AmiDenied(AmiError):
    """The PBX answered `action` with an error. `answer` is the PBX's message."""

    code = "ami.denied"

    def __init__(self, action: str, answer: str) -> None:
        denied = answer == "Permission denied"
        super().__init__(
            f"the PBX answered {action} with {answer[:200]!r}",
            fix="grant the privilege that offrecord check names"
            if denied
            else "see the Asterisk log for the reason",
        )
        self.action = action
        self.answer = answer
        self.permission = denied


class AmiUnsafe(AmiError):
    """The action was not sent: it may block this PBX, or there is nothing to act on."""

    code = "ami.unsafe"


class AmiUnsupported(AmiError):
    """The version of the PBX is below the lowest supported one; its calls are never known."""

    code = "ami.unsupported"

    def __init__(self, message: str) -> None:
        super().__init__(message, fix="upgrade Asterisk")
