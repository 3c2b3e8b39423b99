"""Whether a remembered verdict is safe: .venv/bin/python -m tests.bench.spared CORPUS [EVERY]

Brings each message (or every so manieth) of a folder three times to a real spamd: twice through a check that remembers
spam, once through one that does not. Counts the messages, what was remembered, and every score that is another one.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from gateway.checks.spamd import SpamdCheck, SpamdSettings
from gateway.checks.spamresult import SpamResult
from gateway.lines import to_crlf
from gateway.scoring.outcome import Origin
from tests.support.copies import copy_of
from tests.support.spamd import RunningSpamd, running_spamd

AT_ONCE = 2  # messages; spamd has as many children


def main() -> None:
    folder, *every = sys.argv[1:]
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())[:: int(every[0]) if every else 1]
    with running_spamd(children=AT_ONCE) as spamd:
        found = asyncio.run(_bring(spamd, files))
    for name, number in sorted(found.items()):
        print(f"{number:6} {name}")


async def _bring(spamd: RunningSpamd, files: list[Path]) -> Counter[str]:
    fresh, remembering = (SpamdCheck(SpamdSettings(hosts=(spamd.host,), remember_spam=s)) for s in (0.0, 600.0))
    found, left = Counter[str](), iter(files)

    async def bring() -> None:
        for file in left:
            octets = to_crlf(file.read_bytes())
            first, second = [await remembering(copy_of(octets)) for _ in range(2)]
            found.update(_judged(first, second, await fresh(copy_of(octets))))

    await asyncio.gather(*(bring() for _ in range(AT_ONCE)))
    return found


def _judged(first: SpamResult, second: SpamResult, fresh: SpamResult) -> list[str]:
    if first.score is None or fresh.score is None:
        return ["messages that spamd did not score"]
    words = ["spam messages" if first.score.is_spam else "other messages"]
    if second.origin is Origin.REMEMBERED:
        words.append("remembered as spam" if first.score.is_spam else "REMEMBERED, AND NO SPAM")
    if second.score != fresh.score:
        words.append(f"remembered, and spamd says another thing ({second.origin})")
    return words


if __name__ == "__main__":
    main()
