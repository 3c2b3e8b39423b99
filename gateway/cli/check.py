"""`mailward check`: the journey of a message in a file, without a session and without a delivery."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from gateway.checks.arc import SealingKeyError, SealSettings, read_sealing_key
from gateway.cli import report
from gateway.cli.options import WRONG, add_config, add_dns, asking, load_or_least, print_problems
from gateway.config import ConfigError, Settings
from gateway.inspection import Case, CaseError, Inspector, read_case
from gateway.policy.rules import RulesError
from gateway.system.dns import DnsResolver

YEAR_10000 = 253_402_300_800  # Unix time
MAX_SHOWN = 200  # characters of a line of a batch that is repeated with its error
AT_ONCE = 32  # messages of a batch under way; more would only wait for the same DNS


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "check",
        help="examine a message in a file, and show what was found and why",
        description="Examine a message: every check, its facts and time, every rule that matched and why, the verdict.",
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the message; - is standard input")
    parser.add_argument("--ip", type=_address, metavar="ADDRESS", help="the client's address")
    parser.add_argument("--helo", default="", help="the name it greets with")
    parser.add_argument(
        "--from", dest="mail_from", default="", metavar="ADDRESS", help="MAIL FROM; empty or <> for none"
    )
    parser.add_argument("--rcpt", action="append", default=[], metavar="ADDRESS", help="RCPT TO, repeatable")
    parser.add_argument(
        "--rules",
        action="append",
        default=[],
        metavar="ID",
        help="explain this rule even if it does not match, repeatable; all: every rule",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print one JSON object")
    output.add_argument("--stamped", action="store_true", help="print the message as it would go on")
    parser.add_argument("--batch", action="store_true", help="read cases from standard input, a JSON object a line")
    add_dns(parser)
    parser.add_argument("--now", type=_unix_time, metavar="UNIXTIME", help="the time to judge signatures by")
    add_config(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.batch is (options.file is not None and options.ip is not None):
        return _wrong("FILE and --ip are needed, or --batch and the cases on standard input")
    try:
        settings = _settings(options)
        if options.batch:
            return asyncio.run(_batch(options, settings))
        return asyncio.run(_single(options, settings, _case(options)))
    except (ConfigError, RulesError) as error:
        print_problems(error.problems)
        return WRONG
    except CaseError as error:
        return _wrong(str(error))


def _wrong(text: str) -> int:
    print(f"mailward check: {text}", file=sys.stderr)
    return WRONG


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no IPv4 or IPv6 address") from error


def _unix_time(text: str) -> float:
    """A time that the Received field can state, whose years have four digits."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < YEAR_10000:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds since 1970")
    return seconds


def _settings(options: argparse.Namespace) -> Settings:
    """Those of --config; without a configuration those that say least, since nothing is served."""
    return _without_unusable_key(asking(options.dns, load_or_least(options.config)))


def _without_unusable_key(settings: Settings) -> Settings:
    """Whoever examines a message need not be one who may read the key: then it is shown as it is without the seal."""
    try:
        if settings.arc.seal.key:
            read_sealing_key(settings.arc.seal.key)
    except SealingKeyError as error:
        print(f"mailward check: the message is not sealed: {error}", file=sys.stderr)
        return settings.model_copy(update={"arc": settings.arc.model_copy(update={"seal": SealSettings()})})
    return settings


@asynccontextmanager
async def _inspector(options: argparse.Namespace, settings: Settings) -> AsyncIterator[Inspector]:
    resolver = DnsResolver(settings.dns)
    try:
        clock = time.time if options.now is None else lambda: options.now
        with closing(Inspector(settings, resolver=resolver, clock=clock)) as inspector:
            yield inspector
    finally:
        await resolver.close()


def _case(options: argparse.Namespace) -> Case:
    """Raises CaseError."""
    try:
        raw = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        raise CaseError(f"{options.file}: {error.strerror}") from error
    return Case.of(raw, ip=options.ip, helo=options.helo, mail_from=options.mail_from, recipients=options.rcpt)


async def _single(options: argparse.Namespace, settings: Settings, case: Case) -> int:
    async with _inspector(options, settings) as inspector:
        found = await inspector.inspect(case)
    if options.stamped:
        if found.examination.stamped is None:
            print(f"mailward check: refused before it was stamped: {found.verdict['reply']}", file=sys.stderr)
            return 1
        for chunk in found.examination.stamped.chunks():
            sys.stdout.buffer.write(chunk)
    elif options.json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        report.show(found, options.rules)
    return 0


async def _batch(options: argparse.Namespace, settings: Settings) -> int:
    """One JSON object a line in, one a line out in the same order, each as soon as it is there. A case that cannot be
    read is answered with "error"."""
    answers: asyncio.Queue[asyncio.Task[dict[str, Any]] | None] = asyncio.Queue(AT_ONCE)
    try:
        async with _inspector(options, settings) as inspector, asyncio.TaskGroup() as tasks:
            tasks.create_task(_print_all(answers))
            while line := await asyncio.to_thread(sys.stdin.buffer.readline):
                if line.strip():
                    await answers.put(tasks.create_task(_answer(inspector, line)))
            await answers.put(None)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return 0


async def _print_all(answers: "asyncio.Queue[asyncio.Task[dict[str, Any]] | None]") -> None:
    while task := await answers.get():
        print(json.dumps(await task), flush=True)


async def _answer(inspector: Inspector, line: bytes) -> dict[str, Any]:
    try:
        file, case = read_case(line)
    except CaseError as error:
        return {"error": str(error), "line": line.decode("utf-8", "replace").strip()[:MAX_SHOWN]}
    found = await inspector.inspect(case)
    return {"file": file, **found.to_dict()}
