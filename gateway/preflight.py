"""Preflight: everything that is wrong with a configuration, the rules and the files that it names, all at once."""

from collections.abc import Callable
from pathlib import Path

from gateway.checks.arc import SealingKeyError, read_sealing_key
from gateway.config import ConfigError, Settings, load, rules_settings
from gateway.delivery.routes import build_terms
from gateway.policy.rules import RulesError
from gateway.rulesets import load_profiles, origin_of
from gateway.system.tls import TlsError, server_tls
from gateway.tomlfile import Problem
from gateway.vocabulary import FACTS


def problems_of(config: Path) -> list[str]:
    """Everything that is wrong with a configuration, with the rules, and with the other files that it names."""
    try:
        settings = load(config)
    except ConfigError as error:
        rules = rules_settings(config)
        broken = _problems_of_rules(lambda: origin_of(rules).load(FACTS)) if rules else ()
        return list(map(str, (*error.problems, *broken)))
    files = (f"{config}: {problem}" for problem in _problems_of_files(settings))
    problems = [*files, *_problems_of_rules(lambda: load_profiles(settings))]
    return list(map(str, problems))


def _problems_of_rules(load_rules: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        load_rules()
    except RulesError as error:
        return error.problems
    return ()


def _problems_of_files(settings: Settings) -> list[str]:
    """What is wrong with the files, other than rules, that the configuration names and a worker needs to start."""
    named = {key: getattr(settings.rules, key) for key in ("site", "lists") if key in settings.rules.model_fields_set}
    problems = [f"[rules] {key}: there is no directory {path}" for key, path in named.items() if not path.is_dir()]
    profiles = {name: profile.rules for name, profile in settings.profile.items() if profile.rules}
    problems += [
        f"[profile.{name}] rules: there is no directory {path}" for name, path in profiles.items() if not path.is_dir()
    ]
    if settings.tls.certificate:
        try:
            server_tls(settings.tls, hostname=settings.hostname, state=settings.state_directory)
        except TlsError as error:
            problems.append(f"[tls]: {error}")
    if settings.arc.seal.key:
        try:
            read_sealing_key(settings.arc.seal.key)
        except SealingKeyError as error:
            problems.append(f"[arc.seal] key: {error}")
    for name, route in settings.route.items():
        try:
            build_terms(route, settings.hostname)
        except OSError as error:
            problems.append(f"[route.{name}] tls_authorities {route.tls_authorities}: {error.strerror or error}")
    return problems
