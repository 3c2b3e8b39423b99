"""Rule sets: the directories that the configuration names, to the rules in force for each profile and the candidate."""

from collections.abc import Collection, Iterator
from pathlib import Path

from gateway.config import RulesSettings, Settings
from gateway.policy.origin import Origin
from gateway.policy.profiles import Profiles
from gateway.policy.rule import RuleSet
from gateway.policy.rules import RulesError
from gateway.policy.shipped import shipped_rules
from gateway.tomlfile import Problem
from gateway.vocabulary import FACTS


def load_profiles(settings: Settings) -> Profiles:
    """The rules in force. Raises RulesError with every problem of all sets."""
    return _profiles(origin_of(settings.rules, routes=settings.route), settings)


def load_candidate(settings: Settings) -> Profiles | None:
    """The rules that stand in place of the site's in the candidate, if there is one. Raises RulesError."""
    return load_with_site(settings, settings.rules.candidate) if settings.rules.candidate else None


def load_with_site(settings: Settings, site: Path) -> Profiles:
    """The rules, those of that directory in place of the site's. Raises RulesError."""
    return load_profiles(with_site(settings, site))


def with_site(settings: Settings, site: Path) -> Settings:
    """The same with these rules in place of the site's, and no candidate. Raises RulesError."""
    if not site.is_dir():
        raise RulesError([Problem(str(site), 1, 1, "is no directory")])
    rules = settings.rules.model_copy(update={"site": site, "candidate": None})
    return settings.model_copy(update={"rules": rules})


def origin_of(settings: RulesSettings, *, routes: Collection[str] | None = None) -> Origin:
    """The shipped rules and the site's."""
    return _origin(settings, settings.site, routes)


def origins_of(settings: Settings) -> Iterator[Origin]:
    """Every set of rules that the configuration names."""
    for base in filter(None, (origin_of(settings.rules, routes=settings.route), _candidate(settings))):
        yield base
        yield from (base.with_more(profile.rules) for profile in settings.profile.values() if profile.rules)


def _candidate(settings: Settings) -> Origin | None:
    site = settings.rules.candidate
    return _origin(settings.rules, site, settings.route) if site else None


def _origin(settings: RulesSettings, site: Path, routes: Collection[str] | None) -> Origin:
    shipped = (shipped_rules(),) if settings.shipped else ()
    return Origin((*shipped, site), (settings.lists,), routes)


def _profiles(origin: Origin, settings: Settings) -> Profiles:
    problems: dict[Problem, None] = {}
    default = _loaded(origin, problems)
    named = {name: _loaded(origin.with_more(profile.rules), problems) for name, profile in settings.profile.items()}
    if problems or default is None:
        raise RulesError(problems)
    return Profiles(
        default=default,
        named={name: rules for name, rules in named.items() if rules},
        domains={domain: chosen.profile for domain, chosen in settings.domain.items()},
    )


def _loaded(origin: Origin, problems: dict[Problem, None]) -> RuleSet | None:
    """Several sets have the same files, whose problems are told once."""
    try:
        return origin.load(FACTS)
    except RulesError as error:
        problems |= dict.fromkeys(error.problems)
        return None
