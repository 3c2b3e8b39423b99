"""Reference: the keys of rules, the declared facts and the listed functions to the tables of docs/rules.md."""

import re
from collections.abc import Iterable, Mapping

from gateway.facts import Fact, FactValue
from gateway.policy.functions import FUNCTIONS
from gateway.policy.keys import KEYS
from gateway.policy.rule import TOTAL

_section_re = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def with_tables(page: str, declared: Iterable[Fact]) -> str:
    """The page with its sections between <!-- begin facts --> and <!-- end facts --> made anew; functions and keys
    likewise."""
    tables = {"facts": facts_table(declared), "functions": functions_table(), "keys": keys_table()}
    return _section_re.sub(lambda match: f"{match[1]}{_table(tables, match[2])}{match[3]}", page)


def facts_table(declared: Iterable[Fact]) -> str:
    """A Markdown table of facts, by the stage at which they are known."""
    facts = {fact.name: fact for fact in (*declared, TOTAL)}.values()
    rows = (
        f"| `{fact.name}` | {fact.type} | {fact.stage.name.lower()} | {_written(fact.absent)} | {_meaning(fact)} |\n"
        for fact in sorted(facts, key=lambda fact: fact.stage)
    )
    return "| Fact | Type | Known at | Absent | Meaning |\n|---|---|---|---|---|\n" + "".join(rows)


def functions_table() -> str:
    """A Markdown table of the functions that conditions may call."""
    rows = (
        f"| `{each.signature}` | {each.result} | {each.meaning} | `{each.example}` |\n" for each in FUNCTIONS.values()
    )
    return "| Function | Gives | Meaning | Example |\n|---|---|---|---|\n" + "".join(rows)


def keys_table() -> str:
    """A Markdown table of the keys of a rule."""
    return "| Key | Meaning |\n|---|---|\n" + "".join(f"| `{name}` | {key.meaning} |\n" for name, key in KEYS.items())


def _table(tables: Mapping[str, str], name: str) -> str:
    if name not in tables:
        raise ValueError(f"no table is called {name}")
    return tables[name]


def _meaning(fact: Fact) -> str:
    words = ", ".join(f"`{word}`" for word in fact.values if word)
    return (f"{fact.meaning} ({words})" if words else fact.meaning).replace("|", "\\|")


def _written(value: FactValue) -> str:
    """The value as a condition would have it."""
    if isinstance(value, tuple):
        return "none"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"
