"""Parts: what every journey of a worker shares. serve.py builds them once; nothing here changes afterwards."""

from collections.abc import Callable
from datetime import tzinfo

from msgspec import Struct

from gateway.checks.arc import Sealer
from gateway.checks.run import Wave
from gateway.config import LimitSettings
from gateway.delivery.quarantine import Quarantine
from gateway.delivery.routes import Routes
from gateway.policy.profiles import Profiles
from gateway.policy.rule import RuleSet
from gateway.realm import Realm
from gateway.record import Record
from gateway.system.burst import AT_ONCE, Burst
from gateway.system.panic import Panic


class Waves(Struct, frozen=True, kw_only=True):
    """The checks in the order in which they are asked.

    A new check goes into the first wave at which all that it looks at is known.
    """

    client: Wave  # looks at the client's address
    sender: Wave  # and at HELO and MAIL FROM
    message: Wave  # and at the message
    conclusion: Wave  # and at what the checks before have found
    scoring: Wave  # and at the stamped message


class Parts(Struct, frozen=True, kw_only=True):
    """The parts of a worker that its journeys are made with."""

    hostname: str
    identity: str  # our authserv-id (RFC 8601 section 2.5)
    realm: Realm
    limits: LimitSettings
    waves: Waves
    profiles: Profiles
    reads: frozenset[str]  # every fact that a rule reads, those of the candidate too
    sealer: Sealer | None  # None: no ARC set of our own is put on messages
    routes: Routes
    quarantine: Quarantine | None  # None: quarantined mail goes to the next hop, marked
    panic: Panic
    clock: Callable[[], float]  # Unix time
    record: Callable[[Record], None]
    candidate: Profiles | None = None  # rules whose verdicts are recorded beside those of the rules in force
    zone: tzinfo | None = None  # in which rules read the time; None: that of the host
    burst: Burst = AT_ONCE  # by which records come before the replies
    received_spf: bool = False  # whether messages get a Received-SPF field besides Authentication-Results

    @property
    def rules(self) -> RuleSet:
        """The rules in force for domains without a profile."""
        return self.profiles.default
