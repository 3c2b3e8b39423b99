"""What every test may ask for: the folder of the suites that others wrote, and a place to note a suite's score."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ("tests.support.spamd", "tests.support.postgresql")  # fixtures for a whole run

_scores = pytest.StashKey[list[tuple[str, int, int]]]()


@pytest.fixture(scope="session")
def suites() -> Path:
    """The folder named by MAILWARD_SUITES. Without it the test is skipped, and fails where CI is set."""
    folder = os.environ.get("MAILWARD_SUITES", "")
    if folder and Path(folder).is_dir():
        return Path(folder)
    message = f"MAILWARD_SUITES is {folder or 'not set'}: the suites of other projects are left out"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def score(pytestconfig: pytest.Config) -> Callable[[str, int, int], None]:
    """Note that of a suite's cases so many passed: score("RFC 7208 by call", passed, total). Printed at the end."""
    scores = pytestconfig.stash.setdefault(_scores, [])
    return lambda suite, passed, total: scores.append((suite, passed, total))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI is set nothing may be left out: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    scores = config.stash.get(_scores, [])
    if scores:
        terminalreporter.section("suites of other projects: cases as expected, of all")
    for suite, passed, total in scores:
        terminalreporter.line(f"{passed:5} of {total:5}  {suite}")
