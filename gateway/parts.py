"""Parts: what every journey of a worker shares. serve.py builds them, once; nothing here changes afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.checks.base import Check
from gateway.config import LimitSettings
from gateway.delivery.quarantine import Quarantine
from gateway.delivery.routes import Routes
from gateway.facts import FactValue
from gateway.policy.rules import RuleSet
from gateway.realm import Realm
from gateway.record import Record
from gateway.system.panic import Panic


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """The checks in the order in which they are asked; those of one wave run side by side.

    A new check is one more name here, in the first wave at which all that it looks at is known.
    """

    connect: tuple[Check, ...]  # the client's address
    mail: tuple[Check, ...]  # and HELO and MAIL FROM
    message: tuple[Check, ...]  # and the message
    conclusion: tuple[Check, ...]  # and the results of all checks before
    scoring: tuple[Check, ...]  # and the stamped message


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a worker that journeys are made with."""

    hostname: str
    identity: str  # our authserv-id (RFC 8601 section 2.5)
    realm: Realm
    limits: LimitSettings
    waves: Waves
    absent: Mapping[str, FactValue]  # every declared fact, with its value where it is absent
    rules: RuleSet
    routes: Routes
    quarantine: Quarantine | None  # None: quarantined mail goes to the next hop, marked
    panic: Panic
    clock: Callable[[], float]  # Unix time
    record: Callable[[Record], None]
