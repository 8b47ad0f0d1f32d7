# SPDX-License-Identifier: Apache-2.0
"""All rules, in the order in which an administrator would mend what they find."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from offrecord.checks.finding import Finding
from offrecord.checks.inputs import CheckInputs, Places, gather_inputs
from offrecord.checks.rules.account import account, events, pbx, version
from offrecord.checks.rules.ari import ari
from offrecord.checks.rules.certificates import SOON, certificates
from offrecord.checks.rules.dialplan import dialplan, tones
from offrecord.checks.rules.fastagi import fastagi
from offrecord.checks.rules.features import LEAST_TIMEOUT, address, codes
from offrecord.checks.rules.journal import journal
from offrecord.checks.rules.local_files import config, secrets
from offrecord.checks.rules.machine import clock, daemon, packages, service
from offrecord.checks.rules.phones import phones
from offrecord.checks.rules.recorders import hooks, recorders
from offrecord.checks.rules.witness import witness
from offrecord.config import Loaded

Look = Callable[[CheckInputs], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, its row in docs/check.md, and the function that looks."""

    name: str
    about: str
    fails: str
    warns: str
    look: Look


RULES: Final = (
    Rule(
        "config", "the configuration, with `conf.d` and the environment",
        "it has no recorder, or a route leads to none", "-", config,
    ),
    Rule(
        "packages", "who else installs `agi`, `ami`, `bridges`, `noojee` or `offrecord`", "-",
        "another Python package does", packages,
    ),
    Rule(
        "secrets", "who can read or change the secrets, the tokens and the configuration",
        "somebody other than their owner can", "-", secrets,
    ),
    Rule(
        "hooks", "recorders whose vendor reports what happens", "-",
        "one waits for reports, and `[http]` is off", hooks,
    ),
    Rule(
        "pbx", "the login at the PBX's manager interface",
        "it is not reached, not trusted, refuses, or is older than 13.5", "-", pbx,
    ),
    Rule(
        "privileges", "what the account may do",
        "a class is missing", "it may do more than is used", account,
    ),
    Rule(
        "events", "an `eventfilter` of the account",
        "it hides events by which a call or its recordings are followed", "-", events,
    ),
    Rule(
        "version", "what is known of this version of Asterisk", "-",
        "it has [a known fault](#versions-of-asterisk)", version,
    ),
    Rule(
        "ari", "the account of `[ari]`, where there is one",
        "ARI does not answer, refuses it, or lets it stop nothing; http.conf has ARI answer other"
        " machines without TLS", "-", ari,
    ),
    Rule(
        "codes", "`features.conf`, as it runs and as it is written",
        "a code of ours equals or begins another; Asterisk ignored the file",
        f"`featuredigittimeout` is below {LEAST_TIMEOUT}; two other features have one code; there"
        " is no code of ours", codes,
    ),
    Rule(
        "address", "where the codes lead",
        "to another port or address than the daemon's, or to none", "-", address,
    ),
    Rule(
        "dialplan", "whether some channel is given the codes by `DYNAMIC_FEATURES`",
        "none is, or it names no section of `features.conf`",
        "only the channel that calls is", dialplan,
    ),
    Rule(
        "tones", "the context for late tones, where they are asked for",
        "the dialplan lacks it", "-", tones,
    ),
    Rule(
        "fastagi", "the daemon's FastAGI port, called as the PBX would",
        "another program answers, or the PBX cannot reach it", "-", fastagi,
    ),
    Rule(
        "phones", "how phones and trunks send their digits",
        "as tones that their codec destroys, or not at all",
        "as tones, or as is agreed again in every call; sound may go past the PBX while `[keypad]`"
        " looks for digits", phones,
    ),
    Rule(
        "recorder", "each recorder: address, certificate, credentials",
        "it is not reached, not trusted, or refuses; a Genesys agent lacks the feature",
        "Noojee's clock is over 10 s away, its answer takes over 5 s, or no agent is known for it",
        recorders,
    ),
    Rule(
        "witness", "the folders that recordings go to, [watched](promise.md#a-witness-on-the-disk)"
        " after a stop", "-", "one cannot be watched", witness,
    ),
    Rule(
        "certificates", "until when certificates last: ours, the PBX's, the recorders'",
        "ours has expired", f"one ends within {SOON} days", certificates,
    ),
    Rule(
        "journal", "the journal: its folder, its schema, the last links of its chain, its disk",
        "it cannot be read or begun, was changed, or the disk is full",
        "everyone can read it, its schema is old, or room is tight", journal,
    ),
    Rule(
        "clock", "the kernel's word on its clock, and the PBX's time", "-",
        "nothing keeps it right, or the PBX is over 2 s away", clock,
    ),
    Rule(
        "service", "the unit, where there is systemd", "-",
        "there is none, or it is not enabled", service,
    ),
    Rule(
        "daemon", "the daemon itself, if it runs",
        "it does not know the calls, or cannot write its journal",
        "it runs with another configuration", daemon,
    ),
)  # fmt: skip
"""Every rule, in the order of the report."""


async def check(loaded: Loaded, places: Places | None = None) -> list[Finding]:
    """Run every rule and return the findings. Changes nothing. Raises `ConfigError`."""
    async with gather_inputs(loaded, places or Places()) as inputs:
        return [finding for rule in RULES for finding in await rule.look(inputs)]
