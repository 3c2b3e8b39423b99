"""`mailward worker`: one process of the gateway. The supervisor starts it; nobody else needs to."""

import argparse
import logging

from gateway.cli.options import WRONG, add_config, load_config
from gateway.config import Settings
from gateway.system.listening import adopt
from gateway.system.log import start_logging
from gateway.worker import Service, add_arguments, inheritance, run_worker

log = logging.getLogger("mailward.worker")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("worker")
    add_config(parser)
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    settings = load_config(options)
    if settings is None:
        return WRONG
    return work(settings, options)


def work(settings: Settings, options: argparse.Namespace) -> int:
    # Imported here: the help, and who is told that the settings are wrong, need not wait for it.
    from gateway.serve import Gateway
    from gateway.system.metrics import Metrics

    metrics = Metrics()
    handler = start_logging(settings.log, on_drop=metrics.log_lines_dropped)

    inherited = inheritance(options)

    async def build() -> Service:
        journal = adopt(inherited.journal) if inherited.journal is not None else None
        return Gateway(settings, metrics=metrics, region=inherited.join_board(), journal=journal)

    try:
        return run_worker(build, settings.workers, inherited)
    finally:
        handler.close()
