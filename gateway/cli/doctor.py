"""`mailward doctor`: is everything that the gateway needs there and right? One line a question, with what to do."""

import argparse
import asyncio

from rich.console import Console
from rich.text import Text

from gateway.cli.console import make_console, shown
from gateway.cli.options import WRONG, add_config, load_config
from gateway.config import Settings
from gateway.health import Finding, Grade, examine_host

_COLOURS = {Grade.GOOD: "green", Grade.WARNING: "yellow", Grade.BAD: "bold red"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser("doctor", help="find out whether everything that the gateway needs works")
    add_config(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exit status 1 if anything is bad; warnings alone are 0."""
    settings = load_config(options)
    if settings is None:
        return WRONG
    console = make_console()
    findings = asyncio.run(_show_all(console, settings))
    return int(any(finding.grade is Grade.BAD for finding in findings))


async def _show_all(console: Console, settings: Settings) -> list[Finding]:
    findings = []
    async for finding in examine_host(settings):
        findings.append(finding)
        grade = Text(f"{finding.grade.value:7} ", style=_COLOURS[finding.grade])
        console.print(grade + shown(finding.text))
        if finding.advice:
            console.print(Text(f"        {finding.advice}"))
    return findings
