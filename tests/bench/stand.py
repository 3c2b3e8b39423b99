"""The stand of our own measurements of whole mail: letters, a resolver and a sink, on loopback, without root."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.corpus import Corpus, make_corpus
from tests.bench.traffic import Sink, sink
from tests.support.gateway import dns_process

FIRST = "127.2.0.0"  # the senders' addresses follow; to the gateway they are strangers


@dataclass(frozen=True, slots=True)
class Stand:
    root: Path
    corpus: Corpus
    dns: str
    sink: Sink


@contextlib.contextmanager
def standing() -> Iterator[Stand]:
    with tempfile.TemporaryDirectory(prefix="mailward-bench-") as name:
        root = Path(name)
        corpus = make_corpus(root / "corpus", FIRST)
        with dns_process(root / "dns", corpus.zone) as dns, sink(root) as behind:
            yield Stand(root, corpus, dns, behind)
