"""Preflight: everything that is wrong with a configuration, the rules and the files that it names, all at once."""

from pathlib import Path

from gateway.config import ConfigError, RulesSettings, Settings, load, rules_settings
from gateway.delivery.routes import build_terms
from gateway.policy.rules import RulesError
from gateway.serve import load_rules
from gateway.system.tls import TlsError, server_tls


def problems_of(config: Path) -> list[str]:
    """Everything that is wrong with a configuration, with the rules, and with the other files that it names."""
    problems: list[object] = []
    try:
        settings = load(config)
        rules: RulesSettings | None = settings.rules
        problems += _problems_of_files(settings)
    except ConfigError as error:
        problems += error.problems
        rules = rules_settings(config)
    try:
        if rules:
            load_rules(rules)
    except RulesError as error:
        problems += error.problems
    return list(map(str, problems))


def _problems_of_files(settings: Settings) -> list[str]:
    """What is wrong with the files, other than rules, that the configuration names and a worker needs to start."""
    named = {key: getattr(settings.rules, key) for key in ("site", "lists") if key in settings.rules.model_fields_set}
    problems = [f"[rules] {key}: there is no directory {path}" for key, path in named.items() if not path.is_dir()]
    if settings.tls.certificate:
        try:
            server_tls(settings.tls, hostname=settings.hostname, state=settings.state_directory)
        except TlsError as error:
            problems.append(f"[tls]: {error}")
    for name, route in settings.route.items():
        try:
            build_terms(route, settings.hostname)
        except OSError as error:
            problems.append(f"[route.{name}] tls_authorities {route.tls_authorities}: {error.strerror or error}")
    return problems
