"""Parts: what every journey of a worker shares. serve.py builds them once; nothing here changes afterwards."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.checks.run import Wave
from gateway.config import LimitSettings
from gateway.delivery.quarantine import Quarantine
from gateway.delivery.routes import Routes
from gateway.policy.rule import RuleSet
from gateway.realm import Realm
from gateway.record import Record
from gateway.system.panic import Panic


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """The checks in the order in which they are asked.

    A new check goes into the first wave at which all that it looks at is known.
    """

    client: Wave  # looks at the client's address
    sender: Wave  # and at HELO and MAIL FROM
    message: Wave  # and at the message
    conclusion: Wave  # and at what the checks before have found
    scoring: Wave  # and at the stamped message


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a worker that its journeys are made with."""

    hostname: str
    identity: str  # our authserv-id (RFC 8601 section 2.5)
    realm: Realm
    limits: LimitSettings
    waves: Waves
    rules: RuleSet
    routes: Routes
    quarantine: Quarantine | None  # None: quarantined mail goes to the next hop, marked
    panic: Panic
    clock: Callable[[], float]  # Unix time
    record: Callable[[Record], None]
