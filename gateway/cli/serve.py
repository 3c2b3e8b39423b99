"""`mailward serve`: the gateway. `mailward worker`, which it starts, is one of its processes."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.options import WRONG, add_config, print_problems
from gateway.config import Settings, load
from gateway.preflight import problems_of
from gateway.supervisor import Plan, supervise
from gateway.system.log import start_logging

log = logging.getLogger("mailward.supervisor")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("serve", help="run the gateway")
    add_config(parser)
    parser.add_argument("--workers", type=_count, metavar="N", help="worker processes, instead of what is configured")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    return serve(options.config.absolute(), workers=options.workers)


def serve(config: Path, *, workers: int | None = None, listen: Sequence[str] = ()) -> int:
    """Supervise workers with the configuration in that file until told to end. `workers` and `listen` go before what it
    says. Returns the exit status."""
    if problems := problems_of(config):
        print_problems(problems)
        return WRONG
    settings = load(config)
    if problems := _problems_of_directories(settings):
        print_problems(problems)
        return WRONG
    handler = start_logging(settings.log, on_drop=lambda lines: None)
    host = settings.workers if workers is None else settings.workers.model_copy(update={"workers": workers})
    count = host.workers or len(os.sched_getaffinity(0))
    plan = Plan(
        settings=host,
        listen=tuple(listen) or settings.listen,
        command=(sys.executable, "-P", "-m", "gateway", "worker", "--config", str(config), "--share", str(count)),
        check=lambda: problems_of(config),
        runtime_directory=Path(os.environ.get("RUNTIME_DIRECTORY", settings.state_directory / "run")),
    )
    try:
        return supervise(plan)
    except Exception:
        log.critical("the supervisor has failed", exc_info=True)
        return 1
    finally:
        handler.close()


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of processes; 0 is one for each core")
    return int(text)


def _problems_of_directories(settings: Settings) -> list[str]:
    """Make the directories that the workers need, and say which cannot be made."""
    problems = []
    for directory in (settings.state_directory, settings.spool_directory):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problems.append(f"{directory}: cannot be made: {error.strerror}")
    return problems
