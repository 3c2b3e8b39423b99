"""Lesson: turns what somebody says of a message into the fields of a TELL request, and spamd's reply into what it has
done. Pure. SpamAssassin's spamd/PROTOCOL describes TELL.

What spamd has learned the other way it forgets first, by itself. It does nothing with a message that it knows so
already, and says no more than that: the reply has neither DidSet nor DidRemove.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.scoring.spamc import Reply

LOCAL = "local"  # spamd's own database (Bayes), not the services that it could report to


class Lesson(StrEnum):
    SPAM = "spam"
    HAM = "ham"
    FORGET = "forget"  # whatever was said before


class Told(StrEnum):
    """What one spamd has done."""

    CHANGED = "changed"  # learned or forgotten
    UNCHANGED = "unchanged"  # it was known so already, or was not there to be forgotten; or Bayes is switched off


def tell_fields(lesson: Lesson) -> Mapping[str, str]:
    if lesson is Lesson.FORGET:
        return {"Remove": LOCAL}
    return {"Message-class": lesson.value, "Set": LOCAL}


def parse_told(reply: Reply) -> Told:
    done = ",".join(reply.fields.get(name, "") for name in ("didset", "didremove"))
    return Told.CHANGED if LOCAL in (place.strip() for place in done.split(",")) else Told.UNCHANGED
