# mypy: allow-untyped-calls
# prometheus_client has types only where applications commonly call it.
"""Metrics: turns records and events into Prometheus counters, and the counters of all workers into one page.

Each worker has its numbers in files (gateway.system.tallies) of the directory that PROMETHEUS_MULTIPROC_DIR names; the
supervisor reads all of them when it is asked, and adds those of a worker that has ended to one file, so that neither a
number goes backwards nor a file a worker remains.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway.record import Event, Record
from gateway.system.tallies import UNFINISHED, Tallies

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
ENDED = "ended"  # stands in a file's name instead of a worker's process id

_SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120, 600)  # from a cached lookup to the sender's ten minutes
_TAKEN, _ROWS, _DROPPED = "mailward_journal_taken", "mailward_journal_rows", "mailward_journal_dropped"
_OCTETS = (4_096, 32_768, 262_144, 2_097_152, 16_777_216, 67_108_864)
_CLASSES = {digit: f"{digit}xx" for digit in "2345"}
_KINDS = ("counter", "histogram")
JOURNAL_DROPPED = "Entries that are not in the journal, by reason"


class Metrics:
    """What one worker counts. Labels are words of ours, rule ids and configured hosts: never text from the wire."""

    def __init__(self) -> None:
        """Raises OSError where there is no room for its files."""
        self._tallies = tallies = Tallies(os.environ.get(DIRECTORY_VARIABLE, ""))
        counter, gauge, histogram = tallies.counter, tallies.gauge, tallies.histogram
        self._connections = counter("mailward_connections", "Connections accepted")
        self._sessions = gauge("mailward_sessions", "Connections that are open now", how="livesum")
        self._messages = counter(
            "mailward_messages", "Messages answered, by action and the reply's class", "action", "reply"
        )
        self._refusals = counter(
            "mailward_refusals", "Recipients (rcpt) and contents (data) refused, by stage and class", "stage", "reply"
        )
        self._turned_away = counter(
            "mailward_turned_away",
            "Connections and messages refused since the host has as many as it may, by limit",
            "limit",
        )
        self._lost = counter(
            "mailward_lost",
            "Transactions that their client left or gave up after a recipient was accepted, by stage",
            "stage",
        )
        self._results = counter("mailward_results", "Results of checks, by check and word", "check", "result")
        self._dnslists = counter(
            "mailward_dnslists", "DNS lists that had an entry, and that gave no answer, by list", "list", "result"
        )
        self._spared = counter(
            "mailward_spamd_spared",
            "Messages with the score of the same one, which was in flight or is remembered, by which",
            "how",
        )
        self._in_force = gauge(
            "mailward_rules_info",
            "The version of the rules in force, by profile; 1",
            "profile",
            "digest",
            how="livemax",
        )
        self._candidate = counter(
            "mailward_candidate_messages",
            "Messages, by action and by what the candidate would have done",
            "action",
            "candidate",
        )
        self._rules = counter("mailward_rule_hits", "Messages that a rule matched, by rule and mode", "rule", "mode")
        self._downstream = counter("mailward_downstream", "Answers of next hops, by hop and class", "hop", "reply")
        self._dropped = counter("mailward_log_lines_dropped", "Log lines dropped because their reader was too slow")
        self._not_in_journal = counter(_DROPPED, JOURNAL_DROPPED, "reason")
        self._seconds = histogram(
            "mailward_step_seconds", "Duration of the steps of a message's journey", _SECONDS, "step"
        )
        self._octets = histogram("mailward_message_octets", "Size of messages", _OCTETS)

    def rules_in_force(self, digests: Mapping[str, str]) -> None:
        """The version of the rules of each profile; "" is that of all others."""
        for profile, digest in digests.items():
            self._in_force.add(profile, digest)

    def connection_opened(self) -> None:
        self._connections.add()
        self._sessions.add()

    def connection_closed(self) -> None:
        self._sessions.add(amount=-1)

    def turned_away(self, limit: str) -> None:
        self._turned_away.add(limit)

    def log_lines_dropped(self, lines: int) -> None:
        self._dropped.add(amount=lines)

    def journal_entries_dropped(self, entries: int) -> None:
        self._not_in_journal.add("queue", amount=entries)

    def count(self, record: Record) -> None:
        """Count one record, of whatever event."""
        _COUNTED[record.event](self, record)

    def page(self) -> bytes:
        """The numbers of this process alone, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self._tallies)
        return generate_latest(registry)

    def _message(self, record: Record) -> None:
        self._messages.add(record.action, _reply_class(record.reply))
        self._octets.observe(record.size)
        self._found(record)
        for rule in record.rules:
            self._rules.add(rule, "enforce")
        for rule in record.shadow:
            self._rules.add(rule, "shadow")
        if record.spamd_spared:
            self._spared.add(record.spamd_spared)
        if record.candidate_action:
            self._candidate.add(record.action, record.candidate_action)
        if record.next_hop:
            self._downstream.add(record.next_hop, _answer_class(record))
        self._seconds.observe_each(record.milliseconds, 1000)

    def _refused(self, record: Record) -> None:
        self._refusals.add(record.stage, _reply_class(record.reply))
        if record.action:  # a rule refused it, by what the checks had found
            self._found(record)
        for rule in record.rules:
            self._rules.add(rule, "enforce")

    def _found(self, record: Record) -> None:
        self._results.add_each(record.results.items())
        for name in dict.fromkeys([word.partition(":")[0] for word in record.listings]):
            self._dnslists.add(name, "listed")
        for name in record.failed_lists:
            self._dnslists.add(name, "failed")

    def _gone(self, record: Record) -> None:
        self._lost.add(record.stage)


_COUNTED = {Event.MESSAGE: Metrics._message, Event.REFUSED: Metrics._refused, Event.LOST: Metrics._gone}


def _answer_class(record: Record) -> str:
    """The class of the next hop's reply; "stored" where a local store took it; "none" where nothing answered."""
    answered = _reply_class(record.answer)
    return "stored" if answered == "none" and record.reply.startswith("2") else answered


def _reply_class(reply: str) -> str:
    """ "2xx", "4xx" or "5xx", and "none" where there was no reply."""
    return _CLASSES.get(reply[:1], "none")


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
        for file in (*self._directory.glob("*.db"), *self._directory.glob(f"*{UNFINISHED}")):
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
        for unfinished in self._directory.glob(f"*_{pid}{UNFINISHED}"):
            unfinished.unlink()

    def page(self) -> bytes:
        """All numbers in Prometheus' text format."""
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone, path=str(self._directory))
        return generate_latest(everyone) + generate_latest(self._own)


class JournalMetrics:
    """What the process of the journal counts."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """With a registry, this one shows it. Raises OSError where there is no room for its files."""
        tallies = Tallies(os.environ.get(DIRECTORY_VARIABLE, ""))
        self._taken = tallies.counter(_TAKEN, "Entries that the process of the journal has taken")
        self._rows = tallies.counter(_ROWS, "Rows written to the journal")
        self._dropped = tallies.counter(_DROPPED, JOURNAL_DROPPED, "reason")
        if registry:
            registry.register(tallies)

    def taken(self, entries: int) -> None:
        self._taken.add(amount=entries)

    def written(self, entries: int) -> None:
        self._rows.add(amount=entries)

    def dropped(self, reason: str, entries: int) -> None:
        self._dropped.add(reason, amount=entries)


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
