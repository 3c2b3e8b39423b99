"""Counting for mailward rules stats: the entries of a journal, or the messages of directories, judged by one set of
rules: those of the configuration, or others in the place of the site's."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.cli.options import asking, print_problems
from gateway.cli.progress import tell_progress
from gateway.cli.rules.comparison import is_judged, recorded
from gateway.cli.rules.recording import Recordings, opened
from gateway.cli.rules.sets import settings_of
from gateway.config import Settings
from gateway.inspection import Inspector
from gateway.knownmail import Examiner, KnownMail, for_tuning, in_directories
from gateway.learning.files import Unread
from gateway.policy.profiles import Profiles
from gateway.policy.replay import Replay
from gateway.policy.rules import RulesError
from gateway.policy.verdict import Action
from gateway.printable import printable
from gateway.system.dns import DnsResolver
from gateway.tomlfile import Problem
from gateway.tuning.sighting import Known, sighted
from gateway.tuning.tally import Tally

if TYPE_CHECKING:
    from gateway.journal.feedback import Feedback

REFUSING = (Action.DEFER, Action.REJECT)  # nobody who could say what it was has it


class Counted(Struct, frozen=True, kw_only=True):
    tally: Tally
    profiles: Profiles  # by whose rules it was judged
    remarks: dict[str, int]  # on what is not in the tally: how many of what


def over_journal(options: argparse.Namespace) -> Counted | None:
    """None where problems were printed."""
    from gateway.journal.database import JournalError

    recordings = opened(options)
    if recordings is None:
        return None
    try:
        return _counted(recordings, options.since or 0.0, options.until)
    except JournalError as error:
        print(f"mailward rules stats: {recordings.name}: {error}", file=sys.stderr)
        return None


def _counted(recordings: Recordings, since: float, until: float | None) -> Counted:
    tally, replay, unjudged, refused = Tally(), Replay(recordings.profiles), 0, 0
    words = _words(recordings.place, since)
    said = {one.id: Known(one.verdict.value) for one in words if one.id}
    unseen = set(said)
    for entry in recordings.between(since, until):
        if not is_judged(entry):
            unjudged += 1
            continue
        unseen.discard(entry.id)
        known = said.get(entry.id, Known.UNKNOWN)
        refused += known is Known.UNKNOWN and entry.action in REFUSING
        tally.add(sighted(entry.id, known, replay.outcome(recorded(entry))))
    elsewhere = len(unseen) + len(words) - len(said)
    remarks = {"unjudged": unjudged, "refused": refused if words else 0, "feedback_elsewhere": elsewhere}
    return Counted(tally=tally, profiles=recordings.profiles, remarks=remarks)


def _words(place: str, since: float) -> "list[Feedback]":
    """What was said last of each message. Nothing is said of a message before it is there."""
    from gateway.journal.database import for_reading
    from gateway.journal.feedback import last_words
    from gateway.journal.feedback import since as said_since

    with closing(for_reading(place)) as database:
        return last_words(said_since(database, since))


def over_directories(options: argparse.Namespace) -> Counted | None:
    """None where problems were printed."""
    settings = settings_of(options)
    named = [*options.ham, *options.spam, *([options.rules] if options.rules else [])]
    missing = [Problem(str(path), 1, 1, "is no directory") for path in named if not path.is_dir()]
    print_problems(missing)
    if settings is None or missing:
        return None
    try:
        mail = chain(in_directories(options.ham, Known.HAM), in_directories(options.spam, Known.SPAM))
        return asyncio.run(_examined(_watched(mail), for_tuning(asking(options.dns, settings), options.rules)))
    except RulesError as error:
        print_problems(error.problems)
        return None


def _watched(mail: Iterable[KnownMail | Unread]) -> Iterator[KnownMail | Unread]:
    """It is told how far it has come: spamd takes its time."""
    for number, each in enumerate(mail, 1):
        tell_progress(number)
        yield each


async def _examined(mail: Iterable[KnownMail | Unread], settings: Settings) -> Counted:
    tally = Tally()
    resolver = DnsResolver(settings.dns)
    try:
        with closing(Inspector(settings, resolver=resolver, clock=time.time)) as inspector:
            examiner = Examiner(inspector, settings, tally)
            await examiner.examine(mail)
            profiles = inspector.parts.profiles
    finally:
        await resolver.close()
    print_problems(f"{printable(str(unread.path))}: {unread.reason}" for unread in examiner.unread)
    remarks = {"unjudged": examiner.unjudged, "unreadable": len(examiner.unread)}
    return Counted(tally=tally, profiles=profiles, remarks=remarks)
