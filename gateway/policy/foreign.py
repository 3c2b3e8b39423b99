"""Foreign: what people write in conditions from other languages, to what is written here."""

import re
from collections.abc import Mapping, Sequence

from gateway.policy.source import Fault

_text_re = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")

_SIGNS: Sequence[tuple[str, str]] = (
    (r"[“”„‘’]", "quotation marks are straight: \" or '"),
    (r"&&?", 'write "and"'),
    (r"\|\|?", 'write "or"'),
    (r"<>", 'write "!="'),
    (r"[=!]~|~", 'write matches(subject, r"...")'),
    (r"===", 'write "=="'),
    (r"=[<>]|[≤≥]", 'write "<=" or ">="'),
    (r"≠", 'write "!="'),
    (r"!(?!=)", 'write "not"'),
    (r"(?<![=!<>])=(?!=)", 'write "=="'),
    (r"\b(?:AND|OR|NOT|IN)\b", "and, or, not, in are in lower case"),
    (r"\b[0-9]+[A-Za-z]+", "a number has no unit: 10_000_000"),
    (r"(?<=[(,])\s*/", 'a regular expression is a text: r"..."'),
    (r"\bfrom\b", "the From field is author.domain, author.address"),
    (r"\bif\b|\bthen\b|;", "only the condition stands here; the action is the key then"),
    (r"\belse\b", "what else is to be done is another rule"),
)
_sign_re = re.compile("|".join(f"({pattern})" for pattern, _ in _SIGNS))

FUNCTIONS: Mapping[str, str] = {
    **dict.fromkeys(("contains", "includes", "has", "find"), 'write "text" in subject'),
    **dict.fromkeys(
        ("search", "match", "fullmatch", "regex", "regexp", "rx", "like"), 'write matches(subject, r"...")'
    ),
    **dict.fromkeys(("cidr", "ip", "ip_address", "ip_network", "network", "subnet"), 'write client.ip in net("...")'),
    **dict.fromkeys(("lookup", "file", "list", "inlist", "in_list"), 'write author.domain in listed("...")'),
    **dict.fromkeys(("count", "size", "length"), "write len(recipients)"),
    **dict.fromkeys(("upper", "lowercase", "tolower", "casefold"), "write lower(subject)"),
    **dict.fromkeys(("headers", "field", "exists", "get"), 'write len(header("X-Mailer")) > 0'),
    **dict.fromkeys(("any", "all"), "functions look at each text of a fact: matches(recipients, r...)"),
    **dict.fromkeys(("subdomain", "is_subdomain", "within"), 'write under(author.domain, "example.org")'),
}


def sign(text: str) -> Fault | None:
    """The first sign or word in a text that is not one of conditions, outside of quoted texts."""
    bare = _text_re.sub(lambda match: '"' * len(match[0]), text)
    match = _sign_re.search(bare)
    if match is None or match.lastindex is None:
        return None
    offset = match.start() + len(match[0]) - len(match[0].lstrip())
    return Fault(offset, f"{match[0].strip()} cannot stand in a condition", _SIGNS[match.lastindex - 1][1])
