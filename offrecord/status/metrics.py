# SPDX-License-Identifier: Apache-2.0
"""The metrics of one daemon, in the text format of Prometheus.

Presses and answers are counted from the records of the journal; gauges are read when asked.
`METRICS` is the one list of them: the guide's table is made from it.
"""

import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Literal

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ami.link.supervisor import LinkState
from bridges.model import Outcome, Verb
from offrecord import __version__
from offrecord.audit.press_history import PROVEN
from offrecord.journal.journal import Record
from offrecord.model.press import WAYS
from offrecord.status.health import results
from offrecord.status.sources import Sources

CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_LATEST
"""The media type of `Metrics.text`."""

BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; a press on the PBX itself takes 10 ms, and no press over 10 s."""

_SURE: Final = frozenset({"L2", "L3", "L4"})
_SILENCING: Final = frozenset(verb.value for verb in Verb if verb.silences)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric: its name without `offrecord_`, its labels, and what it means."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def full(self) -> str:
        """The name as Prometheus has it."""
        return f"offrecord_{self.name}"


METRICS: Final = (
    MetricSpec("build_info", "gauge", "1, with the version", ("version",)),
    MetricSpec(
        "presses_total",
        "counter",
        "presses that ended, by way in and outcome",
        ("verb", "way", "outcome"),
    ),
    MetricSpec(
        "press_to_proof_seconds",
        "histogram",
        "from a press to its verdict, which is the proof where the outcome is confirmed",
        ("verb", "outcome"),
    ),
    MetricSpec(
        "recorder_answers_total",
        "counter",
        "what recorders made of orders, tries after the first included",
        ("recorder", "kind", "outcome"),
    ),
    MetricSpec(
        "exposed_seconds_total",
        "counter",
        "seconds that calls were, or may have been, recorded after a stop, a pause or an "
        "objection: to the proof, or to the end where none came; and while a recording that had "
        "come back was silenced again",
        ("recorder",),
    ),
    MetricSpec(
        "closed_total",
        "counter",
        "failed presses that were closed later: solved, superseded, or the call ended",
        ("outcome", "why"),
    ),
    MetricSpec("alarms_total", "counter", "alarms in the journal", ("what",)),
    MetricSpec(
        "taken_back_total",
        "counter",
        "verdicts that were taken back, because a file went on growing that no other call explains",
    ),
    MetricSpec("witness_folders", "gauge", "folders that are watched for files that grow"),
    MetricSpec("witness_files", "gauge", "files in them that are being written to"),
    MetricSpec("ami_up", "gauge", "1 while the link to the PBX is up"),
    MetricSpec(
        "ami_ping_seconds",
        "gauge",
        "how long the PBX took to answer the last ping; absent while none was answered",
    ),
    MetricSpec("ami_logins_total", "counter", "logins at the PBX: more than one means lost links"),
    MetricSpec("ami_timeouts_total", "counter", "actions that the PBX did not answer in time"),
    MetricSpec(
        "ami_events_dropped_total",
        "counter",
        "events of the PBX lost because the queue was full; the calls are then listed again",
    ),
    MetricSpec("ami_faults_total", "counter", "faults while events of the PBX were taken in"),
    MetricSpec("calls_known", "gauge", "1 while the list of live calls is certain"),
    MetricSpec("calls", "gauge", "live calls"),
    MetricSpec("channels", "gauge", "channels of live calls"),
    MetricSpec(
        "intents", "gauge", "stops, pauses and objections that hold for live calls", ("verb",)
    ),
    MetricSpec(
        "intents_failing",
        "gauge",
        "those of them that some recorder has not obeyed: it may be recording",
    ),
    MetricSpec("journal_ok", "gauge", "1 while records reach the disk"),
    MetricSpec("journal_waiting", "gauge", "records in memory that are not on the disk yet"),
    MetricSpec("journal_failures_total", "counter", "records that the disk did not take in time"),
    MetricSpec(
        "feed_listeners", "gauge", "live views that are open: event streams, pages, terminals"
    ),
    MetricSpec(
        "api_answers_total", "counter", "answers of the HTTP API", ("method", "route", "status")
    ),
    MetricSpec(
        "api_refused_total", "counter", "requests not let in: token, scope or rate", ("why",)
    ),
)
"""Every metric of ours. The Prometheus client adds `process_*`."""

_BY_NAME: Final = {one.name: one for one in METRICS}


@dataclass(slots=True)
class _Open:
    """A press that has no verdict yet, or that is not obeyed yet."""

    verb: str
    way: str
    at: int


class Metrics:
    """Counts from the records of the journal, from when it was made, and shows."""

    def __init__(self, sources: Sources) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._presses = self._counter("presses_total")
        self._took = Histogram(
            _BY_NAME["press_to_proof_seconds"].full, _BY_NAME["press_to_proof_seconds"].help,
            _BY_NAME["press_to_proof_seconds"].labels, buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._answers = self._counter("recorder_answers_total")
        self._exposed = self._counter("exposed_seconds_total")
        self._closed = self._counter("closed_total")
        self._alarms = self._counter("alarms_total")
        self._taken_back = self._counter("taken_back_total")
        self._api = self._counter("api_answers_total")
        self._refused = self._counter("api_refused_total")
        self._open: dict[str, _Open] = {}
        for verb, way in product(Verb, sorted(WAYS)):
            # Prometheus sees no increase in a series that begins with its first failure.
            self._presses.labels(verb.value, way, Outcome.FAILED.value)
        self.registry.register(_Gauges(sources))
        _Process(registry=self.registry)
        sources.feed.subscribe(self.on_record)

    def _counter(self, name: str) -> Counter:
        told = _BY_NAME[name]
        return Counter(told.full, told.help, told.labels, registry=self.registry)

    def text(self) -> bytes:
        """Return all metrics as they are now."""
        return prometheus_client.generate_latest(self.registry)

    # Records

    def on_record(self, record: Record) -> None:
        """Take one record of the journal."""
        body = record.body
        if record.kind == "pressed":
            self._open[record.press] = _Open(str(body["verb"]), str(body["way"]), record.at)
        elif record.kind == "verdict":
            self._verdict(record)
        elif record.kind == "closed":
            self._closed.labels(str(body["outcome"]), str(body["why"])).inc()
            for name, took in body["exposed_ms"].items():
                self._exposed.labels(name).inc(max(0, took) / 1000)
        elif record.kind == "alarm":
            self._alarms.labels(str(body["what"])).inc()
        elif record.kind == "taken_back":
            self._taken_back.inc()
        for result in results(record):
            labels = (str(result["recorder"]), str(result["kind"]), str(result["outcome"]))
            self._answers.labels(*labels).inc()
            if record.kind == "reapplied" and result["outcome"] in PROVEN:
                self._exposed.labels(labels[0]).inc(float(body["took_ms"]) / 1000)
        if record.kind == "answered":
            self._proven(record)

    def _verdict(self, record: Record) -> None:
        one = self._open.pop(record.press, None)
        verb, outcome = str(record.body["verb"]), str(record.body["outcome"])
        self._presses.labels(verb, one.way if one else "recovered", outcome).inc()
        self._took.labels(verb, outcome).observe(float(record.body["took_ms"]) / 1000)

    def _proven(self, record: Record) -> None:
        """Count how long a recorder that obeyed at once still recorded; `closed` counts others."""
        one, body = self._open.get(record.press), record.body
        if one is None or one.verb not in _SILENCING or body["outcome"] not in PROVEN:
            return
        if body["outcome"] != Outcome.NOTHING_TO_STOP and body["evidence"] in _SURE:
            self._exposed.labels(str(body["recorder"])).inc(max(0, record.at - one.at) / 1000)

    def answered(self, method: str, route: str, status: int) -> None:
        """Count an answer of the HTTP API; unknown methods are counted as `other`."""
        known = method if method in _METHODS else "other"
        self._api.labels(known, route, str(status)).inc()

    def refused(self, why: str) -> None:
        """Count a request that was not let in."""
        self._refused.labels(why).inc()


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Process(ProcessCollector):
    """Metrics of the process, without `/proc/stat`, where the client reads the time of the boot.

    Under the shipped unit (`ProcSubset=pid`) that file is missing, and nothing would be shown.
    """

    def _boot_time(self) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class _Gauges(Collector):
    """Reads the parts when Prometheus asks."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges, and the counters that a part keeps itself."""
        pbx, journal = self._sources.pbx, self._sources.journal
        link, graph = pbx.link, pbx.graph
        calls = graph.calls()
        yield _one("build_info", {(__version__,): 1.0})
        yield _one("ami_up", link.state is LinkState.UP)
        yield _one("ami_ping_seconds", {} if link.ping_took is None else link.ping_took)
        yield _one("ami_logins_total", link.logins)
        yield _one("ami_timeouts_total", link.timeouts)
        yield _one("ami_events_dropped_total", pbx.dropped)
        yield _one("ami_faults_total", pbx.faults)
        yield _one("calls_known", graph.known)
        yield _one("calls", len(calls))
        yield _one("channels", sum(len(call.channels) for call in calls))
        yield from self._intents()
        yield _one("witness_folders", len(self._sources.witness.watch))
        yield _one("witness_files", len(self._sources.witness.files))
        yield _one("journal_ok", journal.trouble is None)
        yield _one("journal_waiting", journal.waiting)
        yield _one("journal_failures_total", self._sources.records.failures)
        yield _one("feed_listeners", self._sources.feed.listeners)

    def _intents(self) -> Iterator[Metric]:
        enforcer = self._sources.enforcer
        live = [*enforcer.intents]
        tally = Tally(intent.verb for intent in live)
        verbs = [verb for verb in Verb if verb.silences]
        yield _one("intents", {(verb.value,): float(tally[verb]) for verb in verbs})
        yield _one(
            "intents_failing", sum(bool(enforcer.retry_ladder.failing(one.id)) for one in live)
        )


def _one(name: str, value: Any) -> Metric:
    """Return one metric with one value, or with those of a table by its labels."""
    told = _BY_NAME[name]
    family = CounterMetricFamily if told.kind == "counter" else GaugeMetricFamily
    made = family(told.full, told.help, labels=told.labels)
    for labels, each in (value if isinstance(value, dict) else {(): float(value)}).items():
        made.add_metric(labels, each)
    return made
