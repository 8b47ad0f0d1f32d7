# SPDX-License-Identifier: Apache-2.0
"""The tables of the guides that are generated from the code.

A guide marks the place: `<!-- table: NAME -->` before, `<!-- end -->` after. Run this file after a
change of configuration, outcomes or exit codes; a test compares.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bridges.asterisk import AsteriskSettings
from bridges.model import Evidence, Outcome, Verb
from offrecord.base.errors import Exit
from offrecord.checks.known_bugs import KNOWN_BUGS
from offrecord.checks.run import RULES
from offrecord.config import Config, RecorderConfig, RouteRule
from offrecord.config.sections.policy import PolicyRule
from offrecord.model.outcome_codes import EXIT_CODES, LOG_LEVELS, SOUNDS, text
from scripts import docs_api, docs_commands, docs_events, docs_ways

ROOT = Path(__file__).parent.parent
GUIDES = (
    "README.md", "docs/api.md", "docs/check.md", "docs/cli.md", "docs/configuration.md",
    "docs/asterisk.md", "docs/events.md", "docs/metrics.md", "docs/outcomes.md", "docs/promise.md",
)  # fmt: skip

MEANS: Mapping[Outcome, str] = {
    Outcome.CONFIRMED: "proven: the recorder's own state was read back, for every leg of the call",
    Outcome.ACCEPTED: "the recorder said yes, and that is all it can give",
    Outcome.CONTAINED: "it could not be stopped; it was paused or muted instead",
    Outcome.NOTHING_TO_STOP: "no recording of the call was running",
    Outcome.DENIED: "this press was not allowed; nothing was changed",
    Outcome.CALL_ENDED: "the call was over first",
    Outcome.FAILED: "anything else, every unknown answer included: take it as still recording",
}

PROVES: Mapping[Evidence, tuple[str, str, str]] = {
    Evidence.NONE: ("nothing was sent", "-", "-"),
    Evidence.SENT: ("the request left", "no answer", "no answer, or a refusal"),
    Evidence.ACCEPTED: ("the recorder said yes", "`Success` to an action", "a yes to the request"),
    Evidence.READ_BACK: (
        "the recorder's own state was read back",
        "a stop more is answered `Could not stop monitoring channel`; a mute: its event came",
        "cannot be had",
    ),
    Evidence.MEDIA: (
        "seen in the media itself",
        "its file is closed (`file_closed`), or still grows (`taken_back`): after the verdict",
        "cannot be had",
    ),
    Evidence.NOTHING_ELSE: (
        "nothing else on the call still records",
        "that came for every channel of the call",
        "cannot be had",
    ),
}

OTHER_EXITS: Mapping[Exit, str] = {
    Exit.OK: "done; of a press: `confirmed`",
    Exit.INTERNAL: "a fault in offrecord itself",
    Exit.USAGE: "the command line is wrong",
    Exit.CONFIG: "the configuration cannot be used",
    Exit.PBX_SECRET: "the PBX refuses the account or its secret",
    Exit.PBX_UNREACHABLE: "nothing answers at the PBX's manager port, or its calls are not known",
    Exit.PBX_UNTRUSTED: "the PBX's certificate is not trusted",
    Exit.PBX_PRIVILEGES: "the account lacks a privilege",
    Exit.RECORDER_UNREACHABLE: "a recorder is not reached",
    Exit.RECORDER_UNTRUSTED: "a recorder's certificate is not trusted",
    Exit.RECORDER_REFUSED: "a recorder refused, or was not understood",
    Exit.DAEMON_DOWN: "no daemon answers on the socket",
    Exit.NOT_FOUND: "there is no such call, press, channel or recorder",
    Exit.JOURNAL: "the journal cannot be read or written",
    Exit.PORT_IN_USE: "an address to listen on is taken",
    Exit.LAB: "the demo's own PBX did not come up",
    Exit.TAMPERED: "the journal, or an archive of it, is not as it was written",
    Exit.PBX_SETUP: "the PBX is set up so that a code is not taken: features, dialplan, phones",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *(list(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def value(given: object) -> str:
    """Return a default as it would stand in the file, or in words."""
    if isinstance(given, Mapping):
        pairs = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in given.items())
        return f"`{{ {pairs} }}`" if pairs else "empty"
    words = {None: "not set", PydanticUndefined: "needed"}
    if isinstance(given, tuple):
        return f"`{json.dumps(list(given))}`"
    if given in words:
        return words[given]
    if isinstance(given, float):
        return f"`{given:g}`"
    return f"`{json.dumps(str(given) if isinstance(given, Path) else given)}`"


def key_row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    """Return the row of one key."""
    default = field.get_default(call_default_factory=True)
    shown = f'`"{default:04o}"`' if name == "mode" else value(default)
    return f"`{name}`", shown, field.description or ""


def keys(model: type[BaseModel], *, without: Iterable[str] = ()) -> str:
    """Return the table of one section's keys."""
    fields = {name: field for name, field in model.model_fields.items() if name not in without}
    rows = (key_row(name, field) for name, field in fields.items())
    return table(("key", "default", "meaning"), rows)


def sections() -> dict[str, str]:
    """Return the table of every section, by its name; values of the top level are one-key tables.

    What a recorder's kind asks for, and the list of rules, have tables of their own.
    """
    made = {}
    for name, field in Config.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            made[name] = keys(inner, without={"rule"} if name == "routes" else ())
        elif name != "recorders":
            made[name] = table(("key", "default", "meaning"), [key_row(name, field)])
    made["recorders"] = keys(RecorderConfig, without={"options"})
    made["routes.rule"] = keys(RouteRule)
    made["policy.rule"] = keys(PolicyRule)
    return made


def asterisk() -> str:
    """Return the table of the own keys of a recorder on the PBX."""
    fields = AsteriskSettings.__dataclass_fields__
    meanings = {
        "file": "the file that `start` records to, in Asterisk's monitor folder",
        "options": "MixMonitor's options for that recording",
    }
    rows = ((f"`{name}`", value(field.default), meanings[name]) for name, field in fields.items())
    return table(("key", "default", "meaning"), rows)


def sounds(outcome: Outcome) -> str:
    """Return what is heard of an outcome."""
    names = SOUNDS[outcome]
    if not names:
        return "-"
    return f"`{names[0]}`" + (" twice" if names == (names[0],) * 2 else "")


def outcomes() -> str:
    """Return the small table: outcome, meaning, tone, exit code."""
    return table(
        ("outcome", "means", "tone", "exit code"),
        ((f"`{o}`", MEANS[o], sounds(o), str(EXIT_CODES[o])) for o in Outcome),
    )


def told() -> str:
    """Return what is said and logged of each outcome of a stop."""
    return table(
        ("outcome", "sentence", "log level"),
        (
            (f"`{o}`", text(o, Verb.STOP), logging.getLevelName(LOG_LEVELS[o]).lower())
            for o in Outcome
        ),
    )


def evidence() -> str:
    """Return the levels of evidence, and what gives them."""
    return table(
        ("level", "known", "MixMonitor", "Noojee"),
        ((level.label, *PROVES[level]) for level in Evidence),
    )


def exits() -> str:
    """Return the exit codes that are no outcome."""
    outcome_codes = set(EXIT_CODES.values()) - {Exit.OK}
    rest = [code for code in Exit if code not in outcome_codes]
    return table(("code", "means"), ((str(code.value), OTHER_EXITS[code]) for code in rest))


def checks() -> str:
    """Return the rules of `offrecord check`, in their order."""
    rows = ((f"`{rule.name}`", rule.about, rule.fails, rule.warns) for rule in RULES)
    return table(("rule", "looks at", "fails when", "warns when"), rows)


def known_bugs() -> str:
    """Return what is known of versions of Asterisk."""
    rows = (
        (
            ", ".join(f"{_dotted(start)} to before {_dotted(end)}" for start, end in bug.spans),
            bug.what + (f", where the account has `write = {bug.needs}`" if bug.needs else ""),
            bug.do,
            f"[source]({bug.source})",
        )
        for bug in KNOWN_BUGS
    )
    return table(("versions", "what", "what to do", "known from"), rows)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def tables() -> dict[str, Callable[[], str]]:
    """Return every table by the name that the guides use."""
    made: dict[str, Callable[[], str]] = {
        "commands": lambda: table(("command", "does"), docs_commands.overview()),
        "command details": docs_commands.commands,
        "kinds": lambda: table(("kind", "says", "holds"), docs_events.kinds()),
        "alarms": lambda: table(("alarm", "means"), docs_events.alarm_rows()),
        "told": told,
        "http": lambda: table(("outcome", "status", "means"), docs_api.statuses()),
        "metrics": lambda: table(("metric", "kind", "labels", "means"), docs_api.metrics()),
        "scopes": lambda: table(("scope", "allows"), docs_api.scopes()),
        "events out": lambda: table(("way", "fields"), docs_events.out_rows()),
        "stream": lambda: table(("event", "means"), docs_events.stream_rows()),
        "events in": lambda: table(("field", "holds"), docs_events.in_rows()),
        "events read": lambda: table(("events of Asterisk",), docs_events.ami_rows()),
        "checks": checks,
        "known bugs": known_bugs,
        "outcomes": outcomes,
        "evidence": evidence,
        "exits": exits,
        "asterisk": asterisk,
        "ways": lambda: table(
            (
                "way",
                "Asterisk",
                "seen by",
                "right",
                "stopped by",
                "paused by",
                "proven by",
                "unknown of calls older than the link",
            ),
            docs_ways.full(),
        ),
        "ways short": lambda: table(
            ("what records", "looked for", "stopped by", "proven by"), docs_ways.short()
        ),
    }
    for name, text_of in sections().items():
        made[f"config {name}"] = lambda text_of=text_of: text_of  # type: ignore[misc]
    return made


MARK = re.compile(r"<!-- table: ([\w. ]+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def fill(guide: str) -> str:
    """Return a guide with every marked table regenerated. Raises KeyError for an unknown name."""
    made = tables()
    return MARK.sub(
        lambda found: f"<!-- table: {found[1]} -->\n{made[found[1]]()}<!-- end -->\n", guide
    )


def main() -> None:
    """Write the tables into the guides."""
    for name in GUIDES:
        path = ROOT / name
        old = path.read_text()
        new = fill(old)
        if new != old:
            path.write_text(new)
            print(f"{name}: written")


if __name__ == "__main__":
    main()
