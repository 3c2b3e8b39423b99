"""Writes deploy/mailward.toml out of the settings: every key with its meaning and its default.

Run `python -m tests.support.configpage` after a change of the settings; a test holds the file against them.
"""

import json
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.config import Settings
from gateway.scoring.hosts import SpamdHost

PAGE = Path(__file__).parents[2] / "deploy" / "mailward.toml"
WIDTH = 110

HEAD = """\
# The configuration of Mailward: /etc/mailward/mailward.toml.
#
# Every key there is stands here. A key that is commented out shows its default. Durations are seconds, sizes octets.
# `mailward config check` finds every error of this file; `systemctl reload mailward` puts a changed one in force, and
# refuses a broken one. Changes of listen, listen_tls and [workers] need a restart.
"""

# What a site must say itself, and examples of what has no default.
GIVEN = {
    "hostname": '"mx.example.org"',
    "domains": '["example.org", ".example.org"]',
    "route.default.hosts": '["smtp://127.0.0.1:10025"]',
    "dnslist.zen.zone": '"zen.spamhaus.org"',
    "profile.strict.rules": '"/etc/mailward/profiles/strict"',
    "domain.example.route": '"default"',
    "spamd.hosts.address": '"127.0.0.1:783"',
}


def page() -> str:
    return HEAD + "\n" + "\n".join(_section(Settings, "")) + "\n"


def _section(model: type[BaseModel], table: str) -> Iterator[str]:
    """The plain keys of a table, then the tables below it."""
    tables = []
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            yield from _key(name, field, table)
        else:
            tables.append((name, field, inner))
    for name, field, inner in tables:
        yield from _table(name, field, inner, table)


def _table(name: str, field: FieldInfo, inner: type[BaseModel], table: str) -> Iterator[str]:
    is_example = False
    if name == "route":
        header = "[route.default]"
    elif name == "domain":
        header, is_example = '[domain."lists.example.org"]', True
    elif name == "profile":
        header, is_example = "[profile.strict]", True
    elif name == "dnslist":
        header, is_example = "[dnslist.zen]", True
    elif inner is SpamdHost:
        header, is_example = "[[spamd.hosts]]", True
    else:
        header = f"[{table + '.' if table else ''}{name}]"
    yield ""
    yield from _comment(inner.__doc__ or "")
    yield f"#{header}" if is_example else header
    yield ""
    yield from _section(inner, header.strip("[]") if not is_example else f"example.{header.strip('[]')}")


def _key(name: str, field: FieldInfo, table: str) -> Iterator[str]:
    yield from _comment(field.description or "")
    given = GIVEN.get(f"{table}.{name}".removeprefix(".").removeprefix("example."))
    commented = "" if given and not table.startswith("example.") else "#"
    yield f"{commented}{name} = {given or _toml(_default(field))}"
    yield ""


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(" ".join(text.split()), WIDTH):
        yield f"# {line}"


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    return "" if value is PydanticUndefined or value is None else value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return json.dumps(value.value)
    if isinstance(value, int | float):
        return f"{value:_}" if isinstance(value, int) and value >= 10_000 else f"{value:g}"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return json.dumps(str(value))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, by itself or as the members of a dict or tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_in, get_args(annotation)) if found), None)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
