"""The sealer: puts an ARC set of our own on a message that goes on (RFC 8617 section 5.1)."""

from collections.abc import Callable

from msgspec import Struct

from gateway.authres.field import AuthenticationResults
from gateway.checks.arc.result import ArcResult
from gateway.checks.arc.seal import BODY, Signatory, build_set, next_place
from gateway.checks.arc.sealingkey import read_sealing_key
from gateway.checks.arc.settings import SealSettings
from gateway.checks.base import Result
from gateway.checks.dkim.lookup import hash_body
from gateway.message import Stamped


class Sealer(Struct, frozen=True, kw_only=True):
    """Seals messages in one name."""

    by: Signatory
    clock: Callable[[], float]  # Unix time

    async def seal(self, stamped: Stamped, found: AuthenticationResults, chain: Result | None) -> Stamped:
        """The message with the next set on top. `found` is what our Authentication-Results say, `chain` what the ARC
        check said; a message of whose chain it said nothing stays as it is."""
        place = next_place(stamped.message, chain.result) if isinstance(chain, ArcResult) else None
        if place is None:
            return stamped
        body = (await hash_body(stamped.message, {BODY}))[BODY]
        return stamped.topped_with(
            build_set(stamped.header, body, place=place, found=found, by=self.by, now=self.clock())
        )


def configured_sealer(settings: SealSettings, *, clock: Callable[[], float]) -> Sealer | None:
    """The sealer of a configuration that has one. Raises SealingKeyError."""
    if settings.key is None:
        return None
    by = Signatory(
        domain=settings.domain,
        selector=settings.selector,
        key=read_sealing_key(settings.key),
        headers=settings.headers,
    )
    return Sealer(by=by, clock=clock)
