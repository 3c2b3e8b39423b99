"""Author: who a message says it is from (RFC 5322 section 3.6.2), as DMARC needs it (RFC 9989 section 5)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """The From field of a message. `domain` is the author domain in lower case with A-labels, and empty where there is none
    or more than one; `problem` then says why, for people."""

    addresses: tuple[str, ...]
    domain: str
    problem: str = ""
