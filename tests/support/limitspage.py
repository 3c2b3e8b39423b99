"""The table of limits in docs/authentication.md: made anew from the constants and settings that it names, by hand
(python -m tests.support.limitspage) and to be compared. The reason of each is the comment or the docstring beside it.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.config import Settings

PAGE = Path(__file__).parents[2] / "docs" / "authentication.md"

# What is limited, and where: "module NAME" of a constant, "[table] key" of a setting.
LIMITS = {
    "**DNS**: a lookup": "[dns] deadline",
    "the first try of a lookup": "[dns] timeout",
    "tries at each server": "[dns] tries",
    "lookups under way": "[dns] concurrency",
    "a name": "system.dns MAX_NAME",
    "aliases (CNAME) in a row": "system.dnsrecords MAX_ALIASES",
    "answers kept": "[dns] cache_size",
    "an answer that is kept": "system.dnscache MAX_CACHED_OCTETS",
    "what the library keeps besides": "system.dnschannel MAX_KEPT_OCTETS",
    "a failure that is kept": "[dns] failure_ttl",
    "**SPF**: lookups": "checks.spf.result MAX_LOOKUPS",
    "void lookups": "checks.spf.result MAX_VOID_LOOKUPS",
    "hosts of a mx": "checks.spf.result MAX_EXCHANGES",
    "names of the client": "checks.spf.result MAX_POINTERS",
    "a record": "checks.spf.query MAX_RECORD",
    "an expanded name": "checks.spf.macros MAX_NAME",
    "parts that a macro asks for": "checks.spf.macros MAX_PARTS",
    "all lookups for MAIL FROM": "[spf] deadline",
    "all lookups for HELO besides": "[spf] helo_deadline",
    "parsed records": "[spf] record_cache_size",
    "a record that is kept parsed": "checks.spf.check MAX_KEPT",
    "what is shown of a record": "checks.spf.result MAX_SHOWN",
    "**DKIM**: signatures": "[dkim] max_signatures",
    "a signature's field": "checks.dkim.signature MAX_FIELD",
    "digits of `l=`": "checks.dkim.signature MAX_LENGTH_DIGITS",
    "digits of `t=` and `x=`": "checks.dkim.signature MAX_TIME_DIGITS",
    "known forms of signatures": "checks.dkim.known MAX_FORMS",
    "a form that is known": "checks.dkim.known MAX_FORM",
    "a field whose form is looked for": "checks.dkim.known MAX_LOOKED_FOR",
    "names in `h=` that are kept": "checks.dkim.header MAX_KEPT",
    "records of one key": "checks.dkim.verify MAX_KEY_RECORDS",
    "a key record": "checks.dkim.key MAX_RECORD",
    "a key": "checks.dkim.key MAX_KEY",
    "bits of an RSA key, at least": "checks.dkim.key MIN_RSA_BITS",
    "bits of an RSA key, at most": "checks.dkim.key MAX_RSA_BITS",
    "the exponent of an RSA key": "checks.dkim.key RSA_EXPONENTS",
    "parsed keys": "[dkim] key_cache_size",
    "octets hashed in one go": "checks.dkim.lookup BREATH",
    "what is shown of a signature": "checks.dkim.signature MAX_SHOWN",
    "**ARC**: sets": "[arc] max_sets",
    "parsed keys of sealers": "[arc] key_cache_size",
    "sets in a chain that we seal": "checks.arc.seal MAX_INSTANCE",
    "names that our seal signs": "checks.arc.seal MAX_SIGNED",
    "**DMARC**: queries of a tree walk": "checks.dmarc.tree MAX_QUERIES",
    "a policy record": "checks.dmarc.record MAX_RECORD",
    "author domains": "author MAX_DOMAINS",
    "From fields that are read": "author MAX_FIELDS",
    "a From field": "author MAX_FROM",
    "**The reverse name**: names": "checks.iprev MAX_NAMES",
    "**DNS lists**: codes in an answer": "checks.dnslists.judge MAX_CODES",
    "**The header**: octets": "[limits] header_size",
    "fields": "message MAX_FIELDS",
    "Received fields": "[limits] received",
    "a label that is not ASCII": "domain MAX_LABEL",
    "what is decoded to be shown": "encodedwords MAX_SHOWN",
    "**Authentication-Results**: a field of others": "authres.scanner MAX_SIZE",
    "a value in ours": "authres.field MAX_VALUE",
    "**Each check**: time": "[limits] check_timeout",
}

_section_re = re.compile(r"(<!-- begin limits -->\n).*?(<!-- end limits -->)", re.DOTALL)
_setting_re = re.compile(r"\[(\w+)\] (\w+)\Z")


def current() -> str:
    return _section_re.sub(lambda match: match[1] + table() + match[2], PAGE.read_text())


def table() -> str:
    return "| limit | value | where | why |\n|---|---|---|---|\n" + "".join(_rows())


def _rows() -> Iterator[str]:
    for what, place in LIMITS.items():
        setting = _setting_re.match(place)
        value, why = _of_setting(*setting.groups()) if setting else _of_constant(*place.split(" "))
        where = place if setting else "{}.py {}".format(*place.replace(".", "/").split(" "))
        yield f"| {what} | {value} | `{where}` | {why} |\n"


def _of_setting(section: str, key: str) -> tuple[str, str]:
    field = Settings.model_fields[section].annotation.model_fields[key]  # type: ignore[union-attr]
    bounds = {name: getattr(one, name) for one in field.metadata for name in ("ge", "le") if hasattr(one, name)}
    least, most = _shown(bounds.get("ge", 0)), bounds.get("le")
    span = f" ({least} to {_shown(most)})" if most is not None else ""
    return _shown(field.default) + span, " ".join((field.description or "").split())


def _of_constant(module: str, name: str) -> tuple[str, str]:
    source = importlib.import_module(f"gateway.{module}")
    return _shown(getattr(source, name)), _comment(inspect.getsource(source).splitlines(), name)


def _comment(lines: list[str], name: str) -> str:
    """What stands behind the constant, or above it."""
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{name} = "))
    if "  # " in lines[at]:
        return lines[at].partition("  # ")[2]
    above = at
    while lines[above - 1].startswith("# "):
        above -= 1
    if above == at:
        raise ValueError(f"{name} has no reason beside it")
    return " ".join(line.removeprefix("# ") for line in lines[above:at])


def _shown(value: Any) -> str:
    if isinstance(value, range):
        return f"{value[0]} to 2³²-1, odd" if value[-1] == 2**32 - 1 else f"{value[0]} to {value[-1]}"
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


if __name__ == "__main__":
    PAGE.write_text(current())
