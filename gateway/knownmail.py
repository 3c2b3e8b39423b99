"""Known mail: directories of messages of which it is known what they are, to sightings. Each message is examined as one
that arrives: by every check, by spamd, by the rules.

There is no envelope. What the trace fields say of it is taken; what they do not say, and the time, is not known, and a
rule that reads it is undecidable. As for `mailward check`, nobody has talked early, and there was no TLS.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Set
from errno import EFBIG
from ipaddress import IPv4Address
from pathlib import Path

from msgspec import Struct

from gateway.checks.arc import SealSettings
from gateway.config import Settings
from gateway.connection import Role
from gateway.facts import FactValue, Stage
from gateway.inspection import Case, Inspection, Inspector
from gateway.journal.glossary import Glossary
from gateway.learning.files import Unread, files_of
from gateway.policy.replay import JUDGED, SPAM_RESULT, Recorded, Replay
from gateway.rulesets import with_site
from gateway.tuning.arrival import Arrival, IPAddress, arrived
from gateway.tuning.sighting import Known, sighted
from gateway.tuning.tally import Tally
from gateway.vocabulary import FACTS

UNSCORED_AT_ONCE = 8  # messages, where there is no spamd whose places would say how many
NOWHERE = IPv4Address("127.0.0.1")  # in place of a client that is not known: nobody holds that against a message

_GLOSSARY = Glossary.of(FACTS)
_OF_SPF = ("spf.", "domainlists.")


class KnownMail(Struct, frozen=True):
    file: Path
    known: Known


def in_directories(directories: Iterable[Path], known: Known) -> Iterator[KnownMail | Unread]:
    for found in files_of(directories):
        yield KnownMail(found, known) if isinstance(found, Path) else found


def for_tuning(settings: Settings, site: Path | None) -> Settings:
    """The same with these rules in place of the site's; and without the seal, whose key not everybody may read."""
    judging = with_site(settings, site) if site else settings
    return judging.model_copy(update={"arc": settings.arc.model_copy(update={"seal": SealSettings()})})


class Examiner:
    """Examines messages, as many at once as spamd takes, and counts what comes of it."""

    def __init__(self, inspector: Inspector, settings: Settings, tally: Tally) -> None:
        self._inspector = inspector
        self._tally = tally
        self._hostname = settings.hostname
        self._at_once = _at_once(settings)
        self._max_size = settings.session.max_size
        self._replay = Replay(inspector.parts.profiles)
        self.unjudged = 0  # messages that were refused before a rule was asked
        self.unread: list[Unread] = []

    async def examine(self, mail: Iterable[KnownMail | Unread]) -> None:
        queue = iter(mail)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._at_once):
                tasks.create_task(self._examine_next(queue))

    async def _examine_next(self, queue: Iterator[KnownMail | Unread]) -> None:
        for mail in queue:
            if isinstance(mail, Unread):
                self.unread.append(mail)
                continue
            try:
                raw = _read(mail.file, self._max_size)
            except OSError as error:
                self.unread.append(Unread(path=mail.file, reason=error.strerror or str(error)))
            else:
                await self._examine(mail, raw)

    async def _examine(self, mail: KnownMail, raw: bytes) -> None:
        arrival = arrived(raw, hostname=self._hostname, is_own=self._is_own)
        found = await self._inspector.inspect(_case(arrival))
        if JUDGED not in found.examination.facts:
            self.unjudged += 1
            return
        outcome = self._replay.outcome(_recorded(found, arrival))
        self._tally.add(sighted(str(mail.file), mail.known, outcome))

    def _is_own(self, ip: IPAddress) -> bool:
        return self._inspector.parts.realm.role_of(ip) is Role.INTERNAL


def _read(file: Path, max_size: int) -> bytes:
    """Raises OSError, also where there is more than would be taken of a client."""
    with file.open("rb") as opened:
        raw = opened.read(max_size + 1)
    if len(raw) > max_size:
        raise OSError(EFBIG, f"larger than [session] max_size, {max_size:,} octets")
    return raw


def _at_once(settings: Settings) -> int:
    spamd = settings.spamd
    return sum(host.concurrency for host in spamd.hosts if spamd.enabled) or UNSCORED_AT_ONCE


def _case(arrival: Arrival) -> Case:
    return Case.of(
        arrival.octets,
        ip=arrival.ip or NOWHERE,
        helo=arrival.helo,
        mail_from=arrival.mail_from or "<>",
        recipients=[arrival.recipient] if arrival.recipient else [],
    )


def _recorded(found: Inspection, arrival: Arrival) -> Recorded:
    """What is known of the message, as the journal would have it of one that has arrived."""
    facts = found.examination.facts
    grounds = _GLOSSARY.grounds(Stage.SCORED if SPAM_RESULT in facts else Stage.AUTHENTICATED)
    unknown = tuple(_unknown(arrival, facts))
    known = {name: value for name, value in {**grounds, **facts}.items() if not name.startswith(unknown)}
    return Recorded(facts=known, panic=False)


def _unknown(arrival: Arrival, facts: Mapping[str, FactValue]) -> Set[str]:
    """How the names of the facts begin that nobody knows. That DMARC passes is known without SPF where DKIM says so."""
    unknown = {"now."}
    if arrival.ip is None:
        unknown |= {"client.", "iprev.", "dnslists.", *_OF_SPF}
    if arrival.mail_from is None:
        unknown |= {"sender.", *_OF_SPF}
    if arrival.recipient is None:
        unknown |= {"recipient"}
    if not unknown.isdisjoint(_OF_SPF) and facts[JUDGED] == "fail":
        unknown |= {"dmarc."}
    return unknown
