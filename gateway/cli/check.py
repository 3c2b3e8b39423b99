"""`mailward check`: the journey of a message in a file, without a session and without a delivery."""

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from gateway.addresses import split_host_port
from gateway.cli import report
from gateway.cli.options import WRONG, add_config, print_problems
from gateway.config import DEFAULT_PATH, ConfigError, Settings, load
from gateway.inspection import Case, CaseError, Inspector, read_case
from gateway.policy.rules import RulesError

AT_ONCE = 32  # messages of a batch under way; more would only wait for the same DNS


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "check",
        help="examine a message in a file, and show what was found and why",
        description="Examine a message: every check, its facts and time, every rule that matched and why, the verdict.",
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the message; - is standard input")
    parser.add_argument("--ip", help="the client's address")
    parser.add_argument("--helo", default="", help="the name it greets with")
    parser.add_argument(
        "--from", dest="mail_from", default="", metavar="ADDRESS", help="MAIL FROM; empty or <> for none"
    )
    parser.add_argument("--rcpt", action="append", default=[], metavar="ADDRESS", help="RCPT TO, repeatable")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--stamped", action="store_true", help="print the message as it would go on")
    parser.add_argument("--batch", action="store_true", help="read cases from standard input, a JSON object a line")
    parser.add_argument("--dns", metavar="HOST:PORT", help="the DNS server to ask, instead of what is configured")
    parser.add_argument("--now", type=float, metavar="UNIXTIME", help="the time to judge signatures by")
    add_config(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if not options.batch and (options.file is None or options.ip is None):
        print("mailward check: FILE and --ip are needed, or --batch", file=sys.stderr)
        return WRONG
    try:
        settings = _settings(options)
        return asyncio.run(_batch(options, settings) if options.batch else _single(options, settings))
    except (ConfigError, RulesError) as error:
        print_problems(error.problems)
    except (CaseError, ValueError, OSError) as error:
        print(f"mailward check: {error}", file=sys.stderr)
    return WRONG


def _settings(options: argparse.Namespace) -> Settings:
    """Those of --config; without a configuration those that say least, since nothing is served."""
    if options.config == DEFAULT_PATH and not DEFAULT_PATH.exists():
        settings = Settings.model_validate(
            {"hostname": "localhost", "domains": ["localhost"], "route": {"default": {"hosts": ["maildir:///nowhere"]}}}
        )
    else:
        settings = load(options.config)
    if options.dns:
        split_host_port(options.dns)
        settings = settings.model_copy(update={"dns": settings.dns.model_copy(update={"servers": (options.dns,)})})
    return settings


@asynccontextmanager
async def _inspector(options: argparse.Namespace, settings: Settings) -> AsyncIterator[Inspector]:
    inspector = Inspector(settings, clock=time.time if options.now is None else lambda: options.now)
    try:
        yield inspector
    finally:
        await inspector.close()


async def _single(options: argparse.Namespace, settings: Settings) -> int:
    raw = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    case = Case.of(
        raw, ip=ip_address(options.ip), helo=options.helo, mail_from=options.mail_from, recipients=options.rcpt
    )
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
        report.show(found)
    return 0


async def _batch(options: argparse.Namespace, settings: Settings) -> int:
    """One JSON object a line in, one a line out in the same order. A case that cannot be read is answered with "error"."""
    under_way: deque[asyncio.Task[dict[str, Any]]] = deque()
    async with _inspector(options, settings) as inspector:
        for line in _lines():
            under_way.append(asyncio.create_task(_answer(inspector, line)))
            if len(under_way) >= AT_ONCE:
                _print(await under_way.popleft())
        while under_way:
            _print(await under_way.popleft())
    return 0


def _lines() -> Iterator[str]:
    return (line for line in sys.stdin if line.strip())


def _print(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


async def _answer(inspector: Inspector, line: str) -> dict[str, Any]:
    try:
        file, case = read_case(line)
    except CaseError as error:
        return {"error": str(error)}
    found = await inspector.inspect(case)
    return {"file": file, **found.to_dict()}
