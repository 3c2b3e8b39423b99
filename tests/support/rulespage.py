"""The rules page and the schema of rules files: made anew from the declared facts, by hand
(python -m tests.support.rulespage) and to be compared."""

import json
from pathlib import Path

from gateway.policy.reference import with_tables
from gateway.policy.schema import schema
from gateway.policy.shipped import shipped_rules
from gateway.vocabulary import FACTS

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
SCHEMA = shipped_rules() / "schema.json"


def current() -> str:
    return with_tables(PAGE.read_text(), FACTS)


def current_schema() -> str:
    return json.dumps(schema(FACTS), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(current())
    SCHEMA.write_text(current_schema())
