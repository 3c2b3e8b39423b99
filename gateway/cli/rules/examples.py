"""mailward rules test: the examples in the rules, and messages whose verdict is known."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.options import WRONG, print_problems
from gateway.cli.rules.sets import loaded
from gateway.facts import Fact
from gateway.policy.examples import failures
from gateway.policy.origin import Origin
from gateway.policy.rule import Rule

if TYPE_CHECKING:
    from gateway.casebook import Casebook
    from gateway.config import Settings
    from gateway.tomlfile import Problem


def test(origins: Sequence[Origin], declared: Iterable[Fact]) -> int:
    """Run the examples. Exit status 0, 1 where a rule does not keep to its example, 2 where the rules are broken."""
    sets = loaded(origins, declared)
    if sets is None:
        return WRONG
    failed = dict.fromkeys(failure for rules in sets for failure in failures(rules))
    print_problems(failed)
    examples = {example.here.problem("") for rules in sets for rule in rules.rules for example in rule.examples}
    rules: dict[str, Rule] = {rule.id: rule for each in sets for rule in each.rules}
    bare = sum(not rule.examples for rule in rules.values())
    print(f"{len(examples) - len(failed)} of {len(examples)} examples pass; {bare} of {len(rules)} rules have none")
    return 1 if failed else 0


def test_messages(directory: Path, settings: "Settings", site: Path | None) -> int:
    """Examine the messages, perhaps by other rules in place of the site's. Exit status 0, 1 where one is not judged as
    expected, 2 where cases or rules are broken."""
    from gateway.casebook import CasebookError, read_casebook
    from gateway.policy.rules import RulesError
    from gateway.rulesets import with_site

    try:
        book = read_casebook(directory)
        wrong = asyncio.run(_wrong(book, with_site(settings, site) if site else settings))
    except (CasebookError, RulesError) as error:
        print_problems(error.problems)
        return WRONG
    print_problems(problem for problems in wrong for problem in problems)
    print(f"{len(book.cases) - len(wrong)} of {len(book.cases)} messages are judged as expected")
    return 1 if wrong else 0


async def _wrong(book: "Casebook", settings: "Settings") -> "list[list[Problem]]":
    """The objections to each case that there are some to."""
    from gateway.casebook import objections, unscored
    from gateway.inspection import Inspector

    with closing(Inspector(unscored(settings), resolver=book.dns, clock=time.time)) as inspector:
        found = [await objections(inspector, case) for case in book.cases]
    return [problems for problems in found if problems]
