"""`mailward learn`: what people say of messages, told to spamd and recorded as feedback in the journal."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from gateway.cli.options import WRONG, add_config, load_config
from gateway.cli.progress import tell_progress
from gateway.config import Settings
from gateway.printable import printable
from gateway.scoring.client import Patience
from gateway.scoring.hosts import SpamdHost
from gateway.scoring.lesson import Lesson

if TYPE_CHECKING:
    from gateway.learning.course import Outcome
    from gateway.learning.files import Unread
    from gateway.learning.teacher import Progress

_DONE = {Lesson.SPAM: "learned as spam", Lesson.HAM: "learned as ham", Lesson.FORGET: "forgotten"}
_NOT_DONE = {Lesson.SPAM: "known as spam before", Lesson.HAM: "known as ham before", Lesson.FORGET: "not known"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "learn",
        help="teach spamd what is spam and what is not, and record it",
        description="Tell spamd what messages are, and record it as feedback in the journal. Of what is said twice of"
        " one message the last word counts.",
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="a file with one message, a Maildir, a directory of such, or - for standard input",
    )
    lesson = parser.add_mutually_exclusive_group(required=True)
    for name, text in (
        (Lesson.SPAM, "they are spam"),
        (Lesson.HAM, "they are not"),
        (Lesson.FORGET, "nothing shall have been said of them"),
    ):
        lesson.add_argument(f"--{name}", dest="lesson", action="store_const", const=name, help=text)
    parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")
    add_config(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    if not _hosts(settings) and not settings.journal.enabled:
        _say("there is nobody to tell: no spamd is configured, and [journal] enabled is false")
        return WRONG
    outcome = _learn(settings, options)
    if options.json:
        print(json.dumps({"lesson": options.lesson.value, **_plain(outcome)}))
    else:
        for line in _lines(outcome, options.lesson, settings):
            print(line)
    return 0 if _is_complete(outcome) else 1


def _learn(settings: Settings, options: argparse.Namespace) -> "Outcome":
    from gateway.journal.database import for_writing  # SQLAlchemy takes half a second to load
    from gateway.learning.course import Course
    from gateway.learning.letter import Reading
    from gateway.learning.notebook import Notebook
    from gateway.learning.teacher import Teacher

    place = settings.journal.place(settings.state_directory)
    with closing(for_writing(place)) if settings.journal.enabled else nullcontext() as database:
        course = Course(
            lesson=options.lesson,
            reading=Reading(
                hostname=settings.hostname,
                authserv_id=settings.identity,
                max_header=2 * settings.limits.header_size,  # with what has been added since it was taken
                max_size=settings.spamd.max_size,
            ),
            teacher=Teacher(
                _hosts(settings),
                patience=Patience(connect=settings.spamd.connect_timeout, total=settings.spamd.attempt_timeout),
                user=settings.spamd.user,
            ),
            notebook=Notebook(database, options.lesson, time.time) if database else None,
        )
        return asyncio.run(course.run(options.files, tell=_tell))


def _hosts(settings: Settings) -> tuple[SpamdHost, ...]:
    return settings.spamd.hosts if settings.spamd.enabled else ()


def _tell(what: "Unread | int") -> None:
    """Files that cannot be read are told at once."""
    if isinstance(what, int):
        tell_progress(what)
    else:
        _say(f"{printable(str(what.path))}: {what.reason}")


def _is_complete(outcome: "Outcome") -> bool:
    return not (outcome.unread or outcome.unrecorded or any(host.failed for host in outcome.spamd))


def _plain(outcome: "Outcome") -> dict[str, Any]:
    values = asdict(outcome) | {"spamd": [asdict(host) for host in outcome.spamd]}
    return values | {"unread": [{"file": str(one.path), "reason": one.reason} for one in outcome.unread]}


def _lines(outcome: "Outcome", lesson: Lesson, settings: Settings) -> Iterator[str]:
    unread = f", {len(outcome.unread)} not read" if outcome.unread else ""
    yield f"{outcome.messages} message{'' if outcome.messages == 1 else 's'}{unread}"
    for host in outcome.spamd:
        yield from _lines_of(host, lesson)
    if not outcome.spamd:
        yield "spamd: none is configured"
    yield f"journal: {_journal_words(outcome, lesson, settings)}"


def _lines_of(host: "Progress", lesson: Lesson) -> Iterator[str]:
    failed = f", {host.failed} failed" if host.failed else ""
    yield f"spamd {host.address}: {host.changed} {_DONE[lesson]}, {host.unchanged} {_NOT_DONE[lesson]}{failed}"
    if host.reason:
        yield f"  {host.reason}"
    if host.unchanged and not host.changed and lesson is not Lesson.FORGET:
        yield "  or it does not learn at all: use_bayes 0, or a database that it cannot write (its log says so)"


def _journal_words(outcome: "Outcome", lesson: Lesson, settings: Settings) -> str:
    if not settings.journal.enabled:
        return "no feedback was recorded, since [journal] enabled is false"
    done = "taken back" if lesson is Lesson.FORGET else "recorded"
    repeated = f", {outcome.repeated} said before" if outcome.repeated else ""
    words = f"{outcome.recorded} {done}{repeated}; it has {outcome.linked} of the messages"
    if not outcome.unrecorded:
        return words
    return f"{words}; {outcome.unrecorded} failed: {outcome.unrecorded_reason}{_remedy(settings)}"


def _remedy(settings: Settings) -> str:
    """Whom to be, where it is somebody else's file."""
    from gateway.journal.database import file_of

    file = Path(file_of(settings.journal.place(settings.state_directory)))
    try:
        owner = file.stat().st_uid
        return "" if os.geteuid() in (0, owner) else f" (run it as the file's owner: runuser -u {file.owner()} -- ...)"
    except (OSError, KeyError):
        return ""


def _say(text: str) -> None:
    print(f"mailward learn: {text}", file=sys.stderr)
