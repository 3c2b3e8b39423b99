"""Configuration: turns mailward.toml into frozen settings, or into every error of it at once, each with its place.

What a mechanism can be told stands beside the mechanism; this module puts the sections together.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from gateway import tomlfile
from gateway.addresses import split_host_port
from gateway.checks.arc import ArcSettings
from gateway.checks.dkim import DkimSettings
from gateway.checks.dnslists import DnsListSettings, ListName
from gateway.checks.spamd import SpamdSettings
from gateway.checks.spf import SpfSettings
from gateway.delivery.quarantine import QuarantineSettings
from gateway.delivery.routes import DEFAULT_ROUTE, DomainSettings, RouteSettings
from gateway.domain import canonical_domain
from gateway.journal.settings import JournalSettings
from gateway.settings import Section
from gateway.smtp.settings import SessionSettings
from gateway.supervisor import SupervisorSettings
from gateway.system.dns import DnsSettings
from gateway.system.log import LogSettings
from gateway.system.tls import TlsSettings
from gateway.tomlfile import Path as TomlPath
from gateway.tomlfile import Problem, TomlFile, did_you_mean

DEFAULT_PATH = Path("/etc/mailward/mailward.toml")

_identity_re = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?\Z")

_UNKNOWN_NAME = "unknown_name"  # our own kind of error, beside those of pydantic

# What is said in place of pydantic's words, by the kind of the error: of a file, not of Python's types.
_WORDS = {
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list in square brackets",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
    "string_type": "must be text in quotes",
    "path_type": "must be a path in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "enum": "must be {expected}",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_pattern_mismatch": "must have the form {pattern}",
}


def _domain(text: str) -> str:
    """A domain of ours in canonical form; a leading dot stands for everything below it."""
    dot, name = ("." if text.startswith(".") else ""), text.removeprefix(".")
    if not (canonical := canonical_domain(name)):
        raise ValueError(f'"{text}" is not a domain name')
    return dot + canonical


def _host_port(text: str) -> str:
    split_host_port(text)
    return text


def _identity(text: str) -> str:
    if text and not _identity_re.match(text):
        raise ValueError(f'"{text}" is no name of letters and digits, with dots, hyphens and underscores between them')
    return text


def _time_zone(name: str) -> str:
    try:
        if name:
            ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f'"{name}" is no time zone of this host') from error
    return name


def _network(value: Any) -> IPv4Network | IPv6Network:
    return ip_network(str(value))


def _with_default(routes: dict[str, RouteSettings]) -> dict[str, RouteSettings]:
    if DEFAULT_ROUTE not in routes:
        raise ValueError(f"there is no [route.{DEFAULT_ROUTE}]: say where accepted mail goes")
    return routes


def _with_known_names(domain: DomainSettings, info: ValidationInfo) -> DomainSettings:
    for key, name in (("route", domain.route), ("profile", domain.profile)):
        tables = info.data.get(key, {name: None})  # without them there is a problem already
        if name and name not in tables:
            known = {"key": key, "name": name, "hint": did_you_mean(name, tables)}
            raise PydanticCustomError(_UNKNOWN_NAME, "there is no [{key}.{name}]", known)
    return domain


Domain = Annotated[str, AfterValidator(_domain)]
Identity = Annotated[str, AfterValidator(_identity)]
HostPort = Annotated[str, AfterValidator(_host_port)]
ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Routes = Annotated[dict[str, RouteSettings], AfterValidator(_with_default)]
KnownDomain = Annotated[DomainSettings, AfterValidator(_with_known_names)]


class NetworkSettings(Section):
    """The table [networks]: clients that are known by their address. What is listed must be under our control, or
    under that of somebody we trust."""

    own: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    """Our own networks: exempt from SPF, DNS lists and limits, and trusted and internal for SpamAssassin."""

    relays: tuple[Network, ...] = ()
    """Relay partners, such as a secondary MX or a forwarding service: exempt from SPF, DNS lists and limits;
    SpamAssassin judges the client before them."""

    balancers: tuple[Network, ...] = ()
    """TCP balancers whose connections begin with a PROXY header, version 1 or 2 (HAProxy: send-proxy). A connection of
    theirs without one is closed without a word; from nobody else is a header believed."""

    xclient: tuple[Network, ...] = ()
    """Mail proxies that may speak for other clients by XCLIENT. What they say of a client decides how it is judged."""


class LimitSettings(Section):
    """The table [limits]: limits of a message as a whole, and of all messages of the host at once."""

    header_size: int = Field(default=256 * 1024, ge=16 * 1024, le=1024 * 1024)
    """Octets of the header section, at most 1 MiB. Each field is held in memory and looked at by every check; real ones
    stay below 64 KiB."""

    received: int = Field(default=100, ge=10)
    """Received fields above which a message is taken to loop; RFC 5321 section 6.3 asks for no less than 100."""

    own_received: int = Field(default=3, ge=1)
    """Received fields of ours above which a message is taken to loop."""

    spool_memory: int = Field(default=256 * 1024, ge=4096)
    """Octets of a message that are held in memory; a larger one goes to an unlinked file in the spool directory."""

    memory: int = Field(default=256 * 1024 * 1024, ge=1024 * 1024)
    """Octets of all messages that are held in memory; beyond it each goes to its file from its first 32 KiB on."""

    messages: int = Field(default=300, ge=1)
    """Messages that are processed at once, from their final dot to the answer. Each takes up to one MiB beside its
    spool, and three descriptors."""

    waiting: int = Field(default=2000, ge=0)
    """Messages that may wait, whole, while as many are processed; where they are as many, MAIL and DATA are answered
    452 4.3.1. Networks take turns, and none may have more than half of the places."""

    wait: float = Field(default=60.0, gt=0)
    """Seconds that a message waits; then it is answered 452 4.3.1 as well."""

    check_timeout: float = Field(default=30.0, gt=0)
    """Seconds that SPF, DKIM, ARC, DMARC and the reverse name have each. What has not answered by then is
    unavailable."""


class RulesSettings(Section):
    """The table [rules]: where the rules come from."""

    site: Path = Path("/etc/mailward/rules.d")
    """The site's own rules files, *.toml, read after the shipped ones. A directory that is not there is empty."""

    lists: Path = Path("/etc/mailward/lists")
    """The files that conditions name with listed("NAME"): one entry a line."""

    shipped: bool = True
    """Whether the shipped rules are read at all."""

    candidate: Path | None = None
    """Rules that may come to stand in place of the site's: what they would decide is recorded beside every verdict, and
    never acted on. An error in them is logged and changes nothing else."""

    timezone: TimeZone = ""
    """The time zone in which rules read the time, such as "Europe/Vienna". Empty: that of the host."""

    @property
    def zone(self) -> tzinfo | None:
        return ZoneInfo(self.timezone) if self.timezone else None


class ProfileSettings(Section):
    """Other rules for the mail of some domains, which name the profile. Recipients of different profiles are taken in
    transactions of their own."""

    rules: Path | None = None
    """A directory of rules files that is read after the site's. Without one the fact recipient.profile is all there
    is."""


class Settings(Section):
    """All of mailward.toml."""

    hostname: Domain
    """The name of this host: in the banner, in Received, and in DNS both ways."""

    authserv_id: Identity = ""
    """The identity that our Authentication-Results fields bear (RFC 8601 section 2.5). Fields from outside that claim
    it are removed. Empty: the hostname."""

    domains: tuple[Domain, ...] = Field(min_length=1)
    """The domains that mail is accepted for: "example.org" for itself, ".example.org" for every name below it."""

    listen: tuple[HostPort, ...] = Field(default=("0.0.0.0:25", "[::]:25"), min_length=1)
    """Where mail is awaited; not used where systemd passes sockets."""

    listen_tls: tuple[HostPort, ...] = ()
    """Where clients begin with a TLS handshake (RFC 8314 section 3), such as "0.0.0.0:465"; not used where systemd
    passes sockets."""

    state_directory: Path = Path("/var/lib/mailward")
    """For what must outlive a restart: the panic switch, the quarantine, a self-made certificate."""

    spool_directory: Path = Path("/var/lib/mailward/spool")
    """For the unlinked files of large messages while they are under way. Nothing in it outlives the process."""

    networks: NetworkSettings = NetworkSettings()
    session: SessionSettings = SessionSettings()
    limits: LimitSettings = LimitSettings()
    tls: TlsSettings = TlsSettings()
    dns: DnsSettings = DnsSettings()
    dnslist: dict[ListName, DnsListSettings] = Field(default_factory=dict)
    spf: SpfSettings = SpfSettings()
    dkim: DkimSettings = DkimSettings()
    arc: ArcSettings = ArcSettings()
    spamd: SpamdSettings = SpamdSettings()
    rules: RulesSettings = RulesSettings()
    route: Routes
    profile: dict[ProfileName, ProfileSettings] = Field(default_factory=dict)
    domain: dict[Domain, KnownDomain] = Field(default_factory=dict)  # after the routes and profiles that it names
    quarantine: QuarantineSettings = QuarantineSettings()
    journal: JournalSettings = JournalSettings()
    workers: SupervisorSettings = SupervisorSettings()
    log: LogSettings = LogSettings()

    @property
    def identity(self) -> str:
        """The authserv-id in force."""
        return self.authserv_id or self.hostname


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load(path: Path) -> Settings:
    """Read the configuration file. Raises ConfigError with every problem of it."""
    try:
        file = tomlfile.read(path)
    except tomlfile.Unreadable as error:
        raise ConfigError([error.problem]) from error
    try:
        return Settings.model_validate(file.data)
    except ValidationError as error:
        raise ConfigError(_problems(file, error)) from error


def rules_settings(path: Path) -> RulesSettings | None:
    """The table [rules] of a configuration that may be broken elsewhere, so that the rules can be looked at all the
    same; None where that table cannot be read either."""
    try:
        return RulesSettings.model_validate(tomlfile.read(path).data.get("rules", {}))
    except (tomlfile.Unreadable, ValidationError):
        return None


def _problems(file: TomlFile, error: ValidationError) -> list[Problem]:
    """One problem for each place, in the order of the file: the members of a union each object in their own words."""
    by_path: dict[TomlPath, Problem] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["input"]:  # it has entries, and all of them are wrong
            continue
        path, message, hint = _told(_within(file.data, detail["loc"]), detail)
        by_path.setdefault(path, file.problem(path, message, hint))
    return sorted(by_path.values(), key=lambda problem: (problem.line, problem.column))


def _told(path: TomlPath, detail: Mapping[str, Any]) -> tuple[TomlPath, str, str]:
    """Where an error of pydantic's is, what is said about it, and a hint. Of the path, `path` is what the file has."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return path, f'unknown key "{path[-1]}"', did_you_mean(str(path[-1]), _keys_beside(path)) or _home(path)
    if kind == "missing":
        name = str(detail["loc"][-1])
        return (*path, name), f'the key "{name}" is missing', ""
    if kind == _UNKNOWN_NAME:
        return (*path, context["key"]), detail["msg"], context["hint"]
    message = _WORDS[kind].format(**context) if kind in _WORDS else detail["msg"].removeprefix("Value error, ")
    return path, message[:1].lower() + message[1:], ""


def _within(data: Any, location: tuple[int | str, ...]) -> TomlPath:
    """The part of pydantic's location that leads through the file; it adds names of types and of missing keys."""
    path: TomlPath = ()
    for step in location:
        is_entry = isinstance(step, int) and isinstance(data, list) and step < len(data)
        if not is_entry and not (isinstance(data, dict) and step in data):
            break
        data = data[step]
        path = (*path, step)
    return path


def _keys_beside(path: TomlPath) -> list[str]:
    """The keys that the table around `path` may have."""
    model: Any = Settings
    for step in path[:-1]:
        model = _member(model, step)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _home(path: TomlPath) -> str:
    """The tables that have this key, where it stands in the wrong one."""
    key = path[-1]
    tables = [f"[{name}]" for name in Settings.model_fields if key in _keys_beside((name, key))]
    return f"{key} is a key of {' and of '.join(tables)}" if tables else ""


def _member(model: Any, step: str | int) -> Any:
    """The model of one step down: a field of a section, or the member of a dict or tuple of sections."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        entry = model.model_fields.get(str(step))
        return entry.annotation if entry else None
    return next((argument for argument in reversed(get_args(model)) if argument is not Ellipsis), None)
