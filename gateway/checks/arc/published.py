"""What is published of the sealing key: turns the DNS answer for it into what is wrong with it, and the key into what
should be there. Pure."""

from gateway.checks.arc.sealingkey import SealingKey
from gateway.checks.dkim.key import Key, parse_key
from gateway.checks.dkim.status import Failure, SignatureError
from gateway.checks.dkim.verify import try_keys
from gateway.system.dnscache import Answer

MAX_STRING = 60  # characters of one string of a TXT record, which may have 255: no terminal breaks these


def published_problem(key: SealingKey, answer: Answer) -> str:
    """Why receivers could not verify what the key seals, for people; "" where they can."""

    def compare(published: Key) -> None:
        if not key.fits(published):
            raise SignatureError("another key is published", Failure.WRONG_KEY)

    problem = try_keys(answer, parse_key, compare).problem
    return problem.reason if problem else ""


def zone_line(name: str, record: str) -> str:
    """A TXT record as a zone file has it (RFC 1035 section 5.1)."""
    strings = (f'"{record[start : start + MAX_STRING]}"' for start in range(0, len(record), MAX_STRING))
    return f"{name}. IN TXT ( {' '.join(strings)} )"
