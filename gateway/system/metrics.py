# mypy: allow-untyped-calls
# prometheus_client has types only where applications commonly call it.
"""Metrics: turns records and events into Prometheus counters, and the counters of all workers into one page.

The one module that knows prometheus_client. Each worker writes its numbers into files of the directory that
PROMETHEUS_MULTIPROC_DIR names; the supervisor reads all of them when it is asked, and adds those of a worker that has
ended to one file, so that neither a number goes backwards nor a file a worker remains.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway.record import Event, Record

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported
RESERVED = 1 << 18  # octets a file of a worker: some 2,000 numbers
ENDED = "ended"  # stands in a file's name instead of a worker's process id

_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120, 600)  # from a cached lookup to the sender's ten minutes
_TAKEN, _ROWS, _DROPPED = "mailward_journal_taken", "mailward_journal_rows", "mailward_journal_dropped"
_OCTETS = (4_096, 32_768, 262_144, 2_097_152, 16_777_216, 67_108_864)
_KINDS = ("counter", "histogram")
JOURNAL_DROPPED = "Entries that are not in the journal, by reason"


class Metrics:
    """What one worker counts. Labels are words of ours, rule ids and configured hosts: never text from the wire."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """With a registry of its own (the default) it stands alone, and `page` shows it. Raises OSError where there is
        no room for its files."""
        _reserve_files(os.environ.get(DIRECTORY_VARIABLE, ""))
        self._registry = registry or CollectorRegistry()
        self._connections = self._counter("connections", "Connections accepted")
        self._sessions = Gauge(
            "mailward_sessions",
            "Connections that are open now",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._messages = self._counter(
            "messages", "Messages answered, by action and the reply's class", "action", "reply"
        )
        self._refusals = self._counter(
            "refusals", "Recipients (rcpt) and contents (data) refused, by stage and class", "stage", "reply"
        )
        self._turned_away = self._counter(
            "turned_away", "Connections and messages refused since the host has as many as it may, by limit", "limit"
        )
        self._lost = self._counter(
            "lost", "Transactions that their client left or gave up after a recipient was accepted, by stage", "stage"
        )
        self._results = self._counter("results", "Results of checks, by check and word", "check", "result")
        self._dnslists = self._counter(
            "dnslists", "DNS lists that had an entry, and that gave no answer, by list", "list", "result"
        )
        self._spared = self._counter(
            "spamd_spared",
            "Messages with the score of the same one, which was in flight or is remembered, by which",
            "how",
        )
        self._in_force = Gauge(
            "mailward_rules_info",
            "The version of the rules in force, by profile; 1",
            ("profile", "digest"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._candidate = self._counter(
            "candidate_messages", "Messages, by action and by what the candidate would have done", "action", "candidate"
        )
        self._rules = self._counter("rule_hits", "Messages that a rule matched, by rule and mode", "rule", "mode")
        self._downstream = self._counter("downstream", "Answers of next hops, by hop and class", "hop", "reply")
        self._dropped = self._counter("log_lines_dropped", "Log lines dropped because their reader was too slow")
        self._not_in_journal = self._counter("journal_dropped", JOURNAL_DROPPED, "reason")
        self._seconds = self._histogram(
            "step_seconds", "Duration of the steps of a message's journey", _SECONDS, "step"
        )
        self._octets = self._histogram("message_octets", "Size of messages", _OCTETS)
        self._children: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._steps: dict[str, Histogram] = {}

    def rules_in_force(self, digests: Mapping[str, str]) -> None:
        """The version of the rules of each profile; "" is that of all others."""
        for profile, digest in digests.items():
            self._in_force.labels(profile, digest).set(1)

    def connection_opened(self) -> None:
        self._connections.inc()
        self._sessions.inc()

    def connection_closed(self) -> None:
        self._sessions.dec()

    def turned_away(self, limit: str) -> None:
        self._count(self._turned_away, limit)

    def log_lines_dropped(self, lines: int) -> None:
        self._dropped.inc(lines)

    def journal_entries_dropped(self, entries: int) -> None:
        self._not_in_journal.labels("queue").inc(entries)

    def count(self, record: Record) -> None:
        """Count one record, of whatever event."""
        _COUNTED[record.event](self, record)

    def page(self) -> bytes:
        """The numbers of this process alone, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _message(self, record: Record) -> None:
        self._count(self._messages, record.action, _reply_class(record.reply))
        self._octets.observe(record.size)
        self._found(record)
        for rule in record.rules:
            self._count(self._rules, rule, "enforce")
        for rule in record.shadow:
            self._count(self._rules, rule, "shadow")
        if record.spamd_spared:
            self._count(self._spared, record.spamd_spared)
        if record.candidate_action:
            self._count(self._candidate, record.action, record.candidate_action)
        if record.next_hop:
            self._count(self._downstream, record.next_hop, _answer_class(record))
        self._durations(record.milliseconds)

    def _refused(self, record: Record) -> None:
        self._count(self._refusals, record.stage, _reply_class(record.reply))
        if record.action:  # a rule refused it, by what the checks had found
            self._found(record)
        for rule in record.rules:
            self._count(self._rules, rule, "enforce")

    def _found(self, record: Record) -> None:
        for check, word in record.results.items():
            self._count(self._results, check, word)
        for name in dict.fromkeys(word.partition(":")[0] for word in record.listings):
            self._count(self._dnslists, name, "listed")
        for name in record.failed_lists:
            self._count(self._dnslists, name, "failed")

    def _gone(self, record: Record) -> None:
        self._count(self._lost, record.stage)

    def _durations(self, milliseconds: Mapping[str, float]) -> None:
        for step, duration in milliseconds.items():
            histogram = self._steps.get(step)
            if histogram is None:
                histogram = self._steps[step] = self._seconds.labels(step)
            histogram.observe(duration / 1000)

    def _count(self, counter: Counter, *labels: str) -> None:
        # Finding a child through the library costs more than counting.
        key = counter, labels
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        child.inc()

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"mailward_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"mailward_{name}", meaning, labels, registry=self._registry, buckets=buckets)


_COUNTED = {Event.MESSAGE: Metrics._message, Event.REFUSED: Metrics._refused, Event.LOST: Metrics._gone}


def _answer_class(record: Record) -> str:
    """The class of the next hop's reply; "stored" where a local store took it; "none" where nothing answered."""
    answered = _reply_class(record.answer)
    return "stored" if answered == "none" and record.reply.startswith("2") else answered


def _reply_class(reply: str) -> str:
    """ "2xx", "4xx" or "5xx", and "none" where there was no reply."""
    return f"{reply[0]}xx" if reply[:1] in ("2", "3", "4", "5") else "none"


class HostMetrics:
    """What the supervisor shows: the numbers of all workers, living and ended, and its own about them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._own = CollectorRegistry()
        self._workers = Gauge("mailward_workers", "Workers, by state", ("state",), registry=self._own)
        self._in_use = Gauge("mailward_in_use", "What counts for the host, now", ("what",), registry=self._own)
        self._exits = Counter(
            "mailward_worker_exits", "Workers that have ended, by cause", ("cause",), registry=self._own
        )
        self._journal_ends = Counter(
            "mailward_journal_exits", "Processes of the journal that have ended, by how", ("how",), registry=self._own
        )
        self._reloads = Counter("mailward_reloads", "Reloads of the configuration", ("outcome",), registry=self._own)

    def clear(self) -> None:
        """Begin with an empty directory: its files are those of an earlier run. Raises OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in self._directory.glob("*.db"):
            file.unlink()

    def environment(self) -> dict[str, str]:
        """What a worker needs in its environment."""
        return {DIRECTORY_VARIABLE: str(self._directory)}

    def workers(self, states: Mapping[str, int]) -> None:
        for state, number in states.items():
            self._workers.labels(state).set(number)

    def in_use(self, counts: Mapping[str, int]) -> None:
        for what, number in counts.items():
            self._in_use.labels(what).set(number)

    def worker_ended(self, pid: int, cause: str) -> None:
        """Count the end of a worker, and add its numbers to those of the ended ones. Raises OSError, ValueError."""
        self._exits.labels(cause).inc()
        self._bury(pid)

    def journal_ended(self, pid: int, how: str) -> None:
        """Count the end of a process of the journal, and what is lost with it: what it had taken, and neither written
        nor dropped. Raises OSError, ValueError."""
        self._journal_ends.labels(how).inc()
        lost = _journal_lost(self._directory / f"counter_{pid}.db")
        self._bury(pid)
        if lost > 0:
            key = mmap_key(_DROPPED, f"{_DROPPED}_total", ["reason"], ["killed"], JOURNAL_DROPPED)
            _add(self._directory / f"counter_{ENDED}.db", key, lost)

    def reloaded(self, outcome: str) -> None:
        self._reloads.labels(outcome).inc()

    def _bury(self, pid: int) -> None:
        """Add the numbers of a process that has ended to those of all that have."""
        mark_process_dead(pid, str(self._directory))
        for kind in _KINDS:
            _fold(self._directory / f"{kind}_{pid}.db", self._directory / f"{kind}_{ENDED}.db")

    def page(self) -> bytes:
        """All numbers in Prometheus' text format."""
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone, path=str(self._directory))
        return generate_latest(everyone) + generate_latest(self._own)


class JournalMetrics:
    """What the process of the journal counts."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """As Metrics."""
        _reserve_files(os.environ.get(DIRECTORY_VARIABLE, ""))
        registry = registry or CollectorRegistry()
        self._taken = Counter(_TAKEN, "Entries that the process of the journal has taken", registry=registry)
        self._rows = Counter(_ROWS, "Rows written to the journal", registry=registry)
        self._dropped = Counter(_DROPPED, JOURNAL_DROPPED, ("reason",), registry=registry)

    def taken(self, entries: int) -> None:
        self._taken.inc(entries)

    def written(self, entries: int) -> None:
        self._rows.inc(entries)

    def dropped(self, reason: str, entries: int) -> None:
        self._dropped.labels(reason).inc(entries)


def _reserve_files(directory: str) -> None:
    """Give the files of this process their room before they are mapped: a full file system is then an error at the
    start, and not the end of the process (SIGBUS) at some later message."""
    for kind in (*_KINDS, "gauge_livesum", "gauge_livemax") if directory else ():
        fd = os.open(Path(directory) / f"{kind}_{os.getpid()}.db", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, RESERVED)
        finally:
            os.close(fd)


def _journal_lost(file: Path) -> float:
    """Of what a process of the journal had taken, what has no other mention in its numbers."""
    signs = {f"{_TAKEN}_total": 1, f"{_ROWS}_total": -1, f"{_DROPPED}_total": -1}
    values = MmapedDict.read_all_values_from_file(str(file)) if file.exists() else ()
    return float(sum(value * signs.get(json.loads(key)[1], 0) for key, value, _, _ in values))


def _add(file: Path, key: str, number: float) -> None:
    sums = MmapedDict(str(file))
    value, moment = sums.read_value(key)
    sums.write_value(key, value + number, moment)
    sums.close()


def _fold(source: Path, into: Path) -> None:
    if not source.exists():
        return
    sums = MmapedDict(str(into))
    for key, value, moment, _ in MmapedDict.read_all_values_from_file(str(source)):
        sums.write_value(key, sums.read_value(key)[0] + value, moment)
    sums.close()
    source.unlink()
