"""mailward rules reload: check what is on the disk, have the running service take it up, and wait for the outcome."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.options import WRONG, print_problems
from gateway.system.servicefile import NAME, ServiceState, running_service

if TYPE_CHECKING:
    from gateway.config import Settings

SECONDS = 180.0  # new workers are started one by one, each within [workers] start_seconds
PAUSE = 0.1  # seconds between two looks

NOT_RUNNING = "mailward rules reload: no service runs with this configuration, or not for this user to see"


def reload(config: Path | None, seconds: float) -> int:
    """Exit status 0 when the rules are in force, 1 when they are not, 2 when they are broken."""
    from gateway.config import DEFAULT_PATH, load
    from gateway.preflight import problems_of
    from gateway.rulesets import load_profiles

    config = config or DEFAULT_PATH
    if problems := problems_of(config):
        print_problems(problems)
        return WRONG
    settings = load(config)
    _report_candidate(settings)
    try:
        outcome = _told(settings.state_directory / NAME, seconds)
    except OSError as error:
        outcome = f"mailward rules reload: {error.filename or 'the service'}: {error.strerror}"
    if outcome == "done":
        print(f"in force: version {load_profiles(settings).default.digest}")
        return 0
    print(outcome, file=sys.stderr)
    return 1


def _report_candidate(settings: "Settings") -> None:
    """An error in candidate rules is told, and stands in nobody's way."""
    from gateway.policy.rules import RulesError
    from gateway.rulesets import load_candidate

    try:
        load_candidate(settings)
    except RulesError as error:
        print_problems(f"{problem} (in candidate rules)" for problem in error.problems)


def _told(path: Path, seconds: float) -> str:
    """Tell the service, and wait for the end of the reload that began after that. Raises OSError."""
    before = running_service(path)
    if before is None:
        return NOT_RUNNING
    os.kill(before.pid, signal.SIGHUP)
    after = _wait(lambda: running_service(path), before, seconds)
    if after is None:
        return "mailward rules reload: the service has ended; see its log"
    if after.ended <= before.begun:
        return f"mailward rules reload: no outcome within {seconds:g} s; see the service's log"
    return "done" if after.outcome == "done" else f"mailward rules reload: {after.outcome}; see the service's log"


def _wait(look: Callable[[], ServiceState | None], before: ServiceState, seconds: float) -> ServiceState | None:
    deadline = time.monotonic() + seconds
    while (state := look()) and state.pid == before.pid and state.ended <= before.begun:
        if time.monotonic() > deadline:
            return state
        time.sleep(PAUSE)
    return state if state and state.pid == before.pid else None
