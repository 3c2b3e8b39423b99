"""What a DMARC result rests on: kept as it is, and turned into a report only where somebody asks. Pure."""

from typing import Any

from msgspec import Struct

from gateway.checks.dmarc.alignment import Alignment
from gateway.checks.dmarc.record import Mode, stated_policies
from gateway.checks.dmarc.tree import Found, Published, Station, Walk
from gateway.printable import printable

MAX_SHOWN = 400  # characters of a record that are shown; addresses for reports make them long


class Grounds(Struct, frozen=True):
    """The way up from the author domain, the record that applies, whether the author domain exists (asked only where
    the policy hangs on it), and each identifier."""

    walk: Walk
    policy: Published | None = None
    exists: bool | None = True
    alignments: tuple[Alignment, ...] = ()

    @property
    def deciding_tag(self) -> str:
        """The tag that says what is asked for mail of this author (RFC 9989 section 4.10.1)."""
        if self.policy is None or self.policy.domain == self.walk.start:
            return "p"
        return "np" if self.exists is False else "sp"

    def report(self) -> dict[str, Any]:
        return {
            "walk": [_station(one) for one in self.walk.stations],
            "organizational_domain": self.walk.organizational_domain or "",
            "record": self._record(self.policy) if self.policy else None,
            "identifiers": [_alignment(one) for one in self.alignments],
        }

    def _record(self, policy: Published) -> dict[str, Any]:
        """The tags as they are used. `decided_by` is the tag that applies to this author, and `stated_by` the one that
        stands for it where it is missing: np is sp then, and sp is p. It is empty where none is valid."""
        record, stated = policy.record, stated_policies(policy.text)
        standing_in = {"p": ("p",), "sp": ("sp", "p"), "np": ("np", "sp", "p")}[self.deciding_tag]
        return {
            "domain": policy.domain,
            "text": printable(policy.text, MAX_SHOWN),
            "p": str(record.policy or ""),
            "sp": str(record.subdomains or ""),
            "np": str(record.nonexistent or ""),
            "t": record.testing.value,
            "psd": record.psd.value,
            "adkim": record.adkim.value,
            "aspf": record.aspf.value,
            "decided_by": self.deciding_tag,
            "stated_by": next((tag for tag in standing_in if tag in stated), ""),
        }


NO_GROUNDS: dict[str, Any] = {"walk": [], "organizational_domain": "", "record": None, "identifiers": []}


def _station(one: Station) -> dict[str, str]:
    texts = one.answer.records if one.found in (Found.RECORD, Found.OTHER, Found.SEVERAL) else ()
    text = one.published.text if one.published else next(iter(texts), b"")
    return {
        "name": f"_dmarc.{one.domain}",
        "found": one.found.value,
        "dns": one.answer.status.value,
        "text": printable(text, MAX_SHOWN),
    }


def _alignment(one: Alignment) -> dict[str, Any]:
    return {
        "mechanism": one.identifier.mechanism.value,
        "domain": one.identifier.domain,
        "result": str(one.identifier.word),
        "mode": "strict" if one.mode is Mode.STRICT else "relaxed",
        "relation": one.relation.value,
        "aligned": one.relation.is_aligned,
    }
