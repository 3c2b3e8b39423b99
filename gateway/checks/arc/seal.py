"""The seal: turns a message as it goes on, what we found and what became of its chain into the three fields of the next
ARC set (RFC 8617 section 5.1). Pure.

The tags of a field stand in the order of the alphabet, and its value of b= where that order has it.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from gateway.authres.field import AuthenticationResults, build_arc
from gateway.authres.folding import fold
from gateway.checks.arc.sealingkey import SealingKey
from gateway.checks.arc.sets import ArcSet, newest_of_broken, parse_sets
from gateway.checks.arc.status import ChainStatus
from gateway.checks.dkim.canonical import BodyHash, BodyPlan, Canon
from gateway.checks.dkim.header import Header, relaxed, unsigned_field
from gateway.message import Field, Message, by_name, split_fields

BODY = BodyPlan(Canon.RELAXED)  # what is hashed of a body
MAX_INSTANCE = 50  # RFC 8617 section 4.2.1
MAX_SIGNED = 100  # names in h=: a header that takes more is nobody's letter, and verifiers bound what they read
MAX_PIECE = 72  # characters of b= or h= in one line


class Signatory(Struct, frozen=True, kw_only=True):
    """In whose name sets are sealed."""

    domain: str
    selector: str
    key: SealingKey
    headers: tuple[str, ...]  # see SealSettings


class Place(Struct, frozen=True, kw_only=True):
    """Where the next set stands: its instance, what it says of the chain before it (cv=), and which of the sets before
    it its seal covers."""

    instance: int
    chain: ChainStatus
    covered: tuple[ArcSet, ...] = ()


def next_place(message: Message, chain: ChainStatus) -> Place | None:
    """None where no set may be added: behind one that says cv=fail, and behind the last that there can be. Nor is one
    added where it could not be found out what became of the chain: cv= has no word for it, and untouched it stays
    whole."""
    if chain is ChainStatus.NONE:
        return Place(instance=1, chain=chain)
    if chain is ChainStatus.PASS:
        covered = parse_sets(message, limit=MAX_INSTANCE)
        return _behind(len(covered), chain, covered)
    if chain is ChainStatus.FAIL:
        # A seal covers its own set alone: which others, nobody could say of a broken chain (RFC 8617 section 5.1.2).
        return _behind(newest_of_broken(message, limit=MAX_INSTANCE), chain, ())
    return None


def build_set(
    header: bytes, body: BodyHash, *, place: Place, found: AuthenticationResults, by: Signatory, now: float
) -> bytes:
    """The three fields, to be put before `header`, the header section as it goes on. `now` is Unix time."""
    fields = split_fields(header)
    names = _names(fields, by.headers)
    common = _common(place, by, now)
    covering = common | {"bh": _base64(body.digest), "c": "relaxed/relaxed", "h": _colon_list(names)}
    sealing = common | {"cv": place.chain.value}

    results = _field(build_arc(place.instance, found))
    signature = _signed(
        "ARC-Message-Signature", covering, by.key, lambda own: Header(by_name(fields)).signed(names, Canon.RELAXED, own)
    )
    covered = (*(field for one in place.covered for field in one.fields), results, signature)
    seal = _signed(
        "ARC-Seal", sealing, by.key, lambda own: b"".join(map(relaxed, covered)) + unsigned_field(own, Canon.RELAXED)
    )
    return seal.raw + signature.raw + results.raw


def _behind(newest: int, chain: ChainStatus, covered: tuple[ArcSet, ...]) -> Place | None:
    return Place(instance=newest + 1, chain=chain, covered=covered) if 1 <= newest < MAX_INSTANCE else None


def _names(fields: Sequence[Field], headers: Sequence[str]) -> list[str]:
    """h=: each of `headers` as often as it is there, and once more for each further time that it is listed. The author
    is signed also where there is none (RFC 6376 section 5.4)."""
    there, listed = Counter(field.name for field in fields), Counter(headers)
    there["from"] = max(there["from"], 1)
    names = (name for name, times in listed.items() for _ in range(there[name] + times - 1))
    return list(islice(names, MAX_SIGNED))


def _common(place: Place, by: Signatory, now: float) -> dict[str, str]:
    """The tags that both signatures of a set have."""
    return {
        "a": by.key.algorithm.value,
        "d": by.domain,
        "i": str(place.instance),
        "s": by.selector,
        "t": str(int(now)),
    }


def _signed(name: str, tags: Mapping[str, str], key: SealingKey, cover: Callable[[Field], bytes]) -> Field:
    """A field with these tags and b=, the signature of what `cover` makes of the field without it."""
    return _tagged(name, tags, b=_base64(key.sign(cover(_tagged(name, tags, b="")))))


def _tagged(name: str, tags: Mapping[str, str], *, b: str) -> Field:
    stated = "; ".join(f"{tag}={text}" for tag, text in sorted({**tags, "b": b}.items()))
    return _field(fold(f"{name}: {stated}").encode("ascii") + b"\r\n")


def _field(raw: bytes) -> Field:
    (field,) = split_fields(raw)
    return field


def _base64(octets: bytes) -> str:
    """In pieces that can be folded, where it takes more than one line."""
    text = b64encode(octets).decode("ascii")
    return " ".join(text[start : start + MAX_PIECE] for start in range(0, len(text), MAX_PIECE))


def _colon_list(names: Sequence[str]) -> str:
    """In pieces that can be folded."""
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > MAX_PIECE:
            lines.append("")
        lines[-1] += f"{name}:"
    return " ".join(lines).removesuffix(":")
