"""Schema: the keys of rules and the declared facts to a JSON schema of rules files, by which editors complete and check
what is written. What only we can judge, such as a condition, is a text to it."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.facts import Fact, FactType
from gateway.headerfacts import PREFIX
from gateway.policy.effects import MAX_FIELDS, MAX_PREFIX, SKIP
from gateway.policy.keys import ID_FORM, KEYS
from gateway.policy.rule import TOTAL
from gateway.policy.rules import MAX_SCORE, STAGES
from gateway.policy.verdict import Action, Mode

DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that editors for TOML read

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}


def schema(declared: Iterable[Fact]) -> Schema:
    """The JSON schema of a rules file, for rules on these facts."""
    return {
        "$schema": DIALECT,
        "title": "Rules of Mailward",
        "type": "object",
        "additionalProperties": False,
        "properties": {"rule": {"type": "array", "items": _rule(declared)}},
    }


def _rule(declared: Iterable[Fact]) -> Schema:
    """A rule may change one of an earlier directory, so nothing but the id is always there."""
    forms = {**_FORMS, "example": _examples(declared)}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id"],
        "not": {"required": ["then", "score"]},
        "properties": {name: {**forms[name], "description": key.meaning} for name, key in KEYS.items()},
    }


def _words(words: Iterable[str]) -> Schema:
    return {"type": "string", "enum": list(words)}


_FORMS: Mapping[str, Schema] = {
    "id": {"type": "string", "pattern": f"^{ID_FORM}$"},
    "why": _STRING,
    "when": _STRING,
    "then": _words(Action),
    "score": {"type": "number", "minimum": -MAX_SCORE, "maximum": MAX_SCORE},
    "reply": _STRING,
    "mode": _words(Mode),
    "final": {"type": "boolean"},
    "stage": _words(STAGES),
    "add": {"type": "object", "additionalProperties": _STRING, "maxProperties": MAX_FIELDS},
    "remove": {"type": "array", "items": _STRING},
    "prefix_subject_breaking_signatures": {"type": "string", "maxLength": MAX_PREFIX},
    "scan": _words([SKIP]),
    "route": _STRING,
    "enabled": {"type": "boolean"},
}


def _examples(declared: Iterable[Fact]) -> Schema:
    properties = {"facts": _facts(declared), "match": {"type": "boolean"}}
    required = list(properties)
    example = {"type": "object", "additionalProperties": False, "required": required, "properties": properties}
    return {"type": "array", "items": example}


def _facts(declared: Iterable[Fact]) -> Schema:
    """Facts by their whole name, "spf.result" = "fail", and as TOML reads them without quotes: spf = { result = }."""
    values = _VALUES[FactType.STRINGS](TOTAL)
    whole: Schema = {**_table(), "patternProperties": {f"^{re.escape(PREFIX)}": values}}
    whole["properties"][PREFIX.removesuffix(".")] = {"type": "object", "additionalProperties": values}
    for fact in (*declared, TOTAL):
        form = {**_VALUES[fact.type](fact), "description": fact.meaning}
        whole["properties"][fact.name] = form
        *tables, last = fact.name.split(".")
        within = whole
        for name in tables:
            within = within["properties"].setdefault(name, _table())
        within["properties"][last] = form
    return whole


def _table() -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _string(fact: Fact) -> Schema:
    return _words(dict.fromkeys((*fact.values, str(fact.absent)))) if fact.values else _STRING


_VALUES: Mapping[FactType, Callable[[Fact], Schema]] = {
    FactType.STRING: _string,
    FactType.NUMBER: lambda _: {"type": "number"},
    FactType.BOOLEAN: lambda _: {"type": "boolean"},
    FactType.STRINGS: lambda _: {"type": "array", "items": _STRING},
    FactType.ADDRESS: lambda _: _STRING,
}
