"""docs/rules.md: made anew from the declared facts, by hand (python -m tests.support.rulespage) and to be compared."""

from pathlib import Path

from gateway.policy.reference import with_tables
from gateway.vocabulary import FACTS

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def current() -> str:
    return with_tables(PAGE.read_text(), FACTS)


if __name__ == "__main__":
    PAGE.write_text(current())
