# mypy: allow-untyped-calls
# prometheus_client has types only where applications commonly call it.
"""Tallies: turns counting into additions in mapped memory, laid out as prometheus_client adds up several processes.

Another process sees a number at once, and it outlives this one. The library's own values do the same by a lock, a
question for the process id and a write of packed octets each, and a message changes some thirty of them.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from math import inf
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.utils import floatToGoString

RESERVED = 1 << 18  # octets a file: some 2,000 numbers
UNFINISHED = ".new"  # ends the name of a file that cannot be read yet
DOUBLE = 8  # octets
KINDS = ("counter", "histogram", "gauge_livesum", "gauge_livemax")  # in a file each: by its name it is added up

Labels = tuple[str, ...]


class TallyFile(MmapedDict):
    """Numbers by their keys, in a file. Any thread may add to a number, since CPython changes threads at calls and at
    the end of a loop's turn alone, and an addition has neither; new places are for one thread."""

    numbers: "memoryview[float]"

    def place(self, key: str) -> int:
        """Where in `numbers` that of a key stands, from now on."""
        self.read_value(key)  # which makes room for it where there is none
        self.numbers = memoryview(self._m).cast("d")  # the whole file, which may have grown
        return int(self._positions[key]) // DOUBLE


class Count:
    """A number for each combination of its labels' values; one without labels is there from the beginning."""

    suffix = ""
    family: type[CounterMetricFamily | GaugeMetricFamily]

    def __init__(self, file: TallyFile, name: str, meaning: str, labels: Labels) -> None:
        self._file = file
        self._name, self._meaning, self._labels = name, meaning, labels
        self._places: dict[Labels, int] = {}
        if not labels:
            self._place(())

    def add(self, *labels: str, amount: float = 1) -> None:
        at = self._places.get(labels)
        if at is None:
            at = self._place(labels)
        self._file.numbers[at] += amount

    def add_each(self, several: Iterable[Labels]) -> None:
        """One to each of these, without a call for each."""
        places = self._places
        for labels in several:
            at = places.get(labels)
            if at is None:
                at = self._place(labels)
            self._file.numbers[at] += 1

    def collect(self) -> Metric:
        """The numbers as they are now."""
        family = self.family(self._name, self._meaning, labels=self._labels)
        for labels, at in self._places.items():
            family.add_metric(labels, self._file.numbers[at])
        return family

    def _place(self, labels: Labels) -> int:
        key = mmap_key(self._name, self._name + self.suffix, list(self._labels), list(labels), self._meaning)
        at = self._places[labels] = self._file.place(key)
        return at


class Counter(Count):
    suffix = "_total"
    family = CounterMetricFamily


class Gauge(Count):
    """A number that can become less again."""

    family = GaugeMetricFamily


class Histogram:
    """How many values there were up to each bound, and their sum, for each combination of its labels' values."""

    def __init__(self, file: TallyFile, name: str, meaning: str, bounds: tuple[float, ...], labels: Labels) -> None:
        self._file = file
        self._name, self._meaning, self._labels = name, meaning, labels
        self._bounds = bounds
        self._shown = [floatToGoString(bound) for bound in (*bounds, inf)]
        self._places: dict[Labels, tuple[int, ...]] = {}  # that of the sum, and one for each bound and for infinity
        if not labels:
            self._place(())

    def observe(self, value: float, *labels: str) -> None:
        places = self._places.get(labels) or self._place(labels)
        numbers = self._file.numbers
        numbers[places[0]] += value
        numbers[places[1 + bisect_left(self._bounds, value)]] += 1

    def observe_each(self, values: Mapping[str, float], divisor: float) -> None:
        """A value for each of these values of its one label, divided by that, without a call for each."""
        known, bounds = self._places, self._bounds
        for label, dividend in values.items():
            places = known.get((label,)) or self._place((label,))
            value = dividend / divisor
            numbers = self._file.numbers
            numbers[places[0]] += value
            numbers[places[1 + bisect_left(bounds, value)]] += 1

    def collect(self) -> Metric:
        """The numbers as they are now."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, places in self._places.items():
            total, *counts = (self._file.numbers[at] for at in places)
            family.add_metric(labels, list(zip(self._shown, accumulate(counts), strict=True)), total)
        return family

    def _place(self, labels: Labels) -> tuple[int, ...]:
        places = self._places[labels] = tuple(map(self._file.place, self._keys(labels)))
        return places

    def _keys(self, labels: Labels) -> Iterator[str]:
        yield mmap_key(self._name, f"{self._name}_sum", list(self._labels), list(labels), self._meaning)
        for bound in self._shown:
            names, values = [*self._labels, "le"], [*labels, bound]
            yield mmap_key(self._name, f"{self._name}_bucket", names, values, self._meaning)


class Tallies:
    """All numbers of this process, in files of a directory, or in memory where there is none."""

    def __init__(self, directory: str) -> None:
        """Raises OSError where there is no room for the files."""
        self._files = {kind: _reserved(Path(directory), kind) if directory else _in_memory(kind) for kind in KINDS}
        self._all: list[Count | Histogram] = []

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        counter = Counter(self._files["counter"], name, meaning, labels)
        self._all.append(counter)
        return counter

    def gauge(self, name: str, meaning: str, *labels: str, how: str) -> Gauge:
        """`how` those of all processes become one: "livesum" or "livemax"."""
        gauge = Gauge(self._files[f"gauge_{how}"], name, meaning, labels)
        self._all.append(gauge)
        return gauge

    def histogram(self, name: str, meaning: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
        histogram = Histogram(self._files["histogram"], name, meaning, bounds, labels)
        self._all.append(histogram)
        return histogram

    def collect(self) -> Iterator[Metric]:
        """What a registry of the library asks for."""
        return (tally.collect() for tally in self._all)


def _reserved(directory: Path, kind: str) -> TallyFile:
    """A file that has its room before it is mapped: a full file system is then an error at the start, and not the end
    of the process (SIGBUS) at some later message. It has its name once it can be read: others look at any time."""
    file = directory / f"{kind}_{os.getpid()}.db"
    if file.exists():
        return TallyFile(str(file))
    unfinished = file.with_suffix(UNFINISHED)
    fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, RESERVED)
    finally:
        os.close(fd)
    tallies = TallyFile(str(unfinished))
    unfinished.rename(file)
    return tallies


def _in_memory(kind: str) -> TallyFile:
    fd = os.memfd_create(f"mailward-{kind}", os.MFD_CLOEXEC)
    try:
        return TallyFile(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)
