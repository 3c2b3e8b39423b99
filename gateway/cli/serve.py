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
from gateway.system import descriptors, servicefile
from gateway.system.listening import Opening
from gateway.system.log import start_logging

log = logging.getLogger("mailward.supervisor")

SELF = (sys.executable, "-P", "-m", "gateway")  # starts one of our own processes
KEYS_EACH = 3  # of a connection: its address and its network are counted, and what of this network waits in lines
KEYS_BESIDE = 256  # next hops, spamds and the like


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
    _prepare_descriptors(settings.session.max_connections)
    host = settings.workers if workers is None else settings.workers.model_copy(update={"workers": workers})
    plan = Plan(
        settings=host,
        listen=(
            *((address, Opening.BANNER) for address in listen or settings.listen),
            *((address, Opening.TLS) for address in settings.listen_tls),
        ),
        command=(*SELF, "worker", "--config", str(config)),
        check=lambda: problems_of(config),
        runtime_directory=Path(os.environ.get("RUNTIME_DIRECTORY", settings.state_directory / "run")),
        service_file=settings.state_directory / servicefile.NAME,
        counted=KEYS_EACH * settings.session.max_connections + KEYS_BESIDE,
        journal=(*SELF, "journal", "write", "--config", str(config), "--feed") if settings.journal.enabled else (),
    )
    try:
        return supervise(plan)
    except Exception:
        log.critical("the supervisor has failed", exc_info=True)
        return 1
    finally:
        handler.close()


def _prepare_descriptors(connections: int) -> None:
    available = descriptors.raise_limit()
    if available < descriptors.needed_for(connections):
        room = descriptors.connections_within(available)
        log.warning("a process may open %d files, so each worker takes %d connections at most", available, room)


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
