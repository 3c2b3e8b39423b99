"""TOML advice: what tomllib says of a text that is no TOML, and the line there, to what its writer should do.

tomllib names what its grammar misses; people quote wrongly, write another format's comments, or leave something out.
"""

import re
from collections.abc import Sequence

_Advice = tuple[str, str, str, str]

# What the message, the line before the place and the line from there on match, and the advice; the first counts.
_ADVICE: Sequence[_Advice] = (
    (r"illegal character '\\n'", "", "", "the quotation mark that ends the text is missing"),
    (r"illegal character|found invalid", "", "", "a text has no control characters"),
    (r"expected \"'''\"|unterminated string|expected \"'\"", "", "", "the text that begins here has no end"),
    (r"unescaped", "", "", "a text with backslashes stands in '...' or '''...'''"),
    (r"", "", r"[“”„‘’]", "quotation marks are straight: \" or '"),
    (r"invalid value", "", r"(?:True|False)\b", "true and false are in lower case"),
    (r"invalid value", "", r"(?:yes|no|on|off)\b", "write true or false"),
    (r"invalid value", "", r"=", "one = sign; or the quotation marks of a condition are missing, here or further up"),
    (r"invalid value", "", r"\.\d", "a number has a digit before the point"),
    (r"invalid value", "", r"\w", "a text stands in quotation marks"),
    (r"", "", r"//|/\*|;|--|<!", "a comment begins with #"),
    (r"expected newline", r"\d\Z", r"\.|,\d", "such a number is written 2.5"),
    (r"expected newline", r"\d\Z", r"\w", "a number has no unit; a text stands in quotation marks"),
    (r"expected newline", "", r",", "no comma ends a line, except within [ ]"),
    (r"expected newline", r'"\Z', "", "a text with \" in it stands in '...'"),
    (r"expected newline", r"'\Z", "", "a text with ' in it stands in \"...\", one with both in '''...'''"),
    (r"expected newline", "", "", "each key has a line of its own"),
    (r"expected '='", "", r":", "write = in place of the colon"),
    (r"expected '='", r"\A\s*-", "", "a rule begins with [[rule]], and not with a dash"),
    (r"expected '='", "", "", "each line is a key, = and a value"),
    (r"expected '\]\]'", "", "", "a rule begins with [[rule]]"),
    (r"unclosed array", "", "", "a comma or the ] is missing before this"),
    (r"unclosed inline table", "", r".", "a comma or the } is missing before this"),
    (r"unclosed inline table|invalid initial", r"[{,]\s*\Z|\{.*\Z", r"\s*\Z", "a table in { } stands on one line"),
    (r"invalid initial", r",\s*\Z", r"\}", "no comma before the }"),
    (r"cannot overwrite|duplicate", "", "", "it stands there twice; or [[rule]] is missing between two rules"),
    (r"cannot (?:declare|mutate)", "", "", "a table stands there twice; each rule begins with [[rule]]"),
)


def advice(message: str, before: str, after: str) -> str:
    """What to do about it; empty where nobody knows. `before` and `after` are the two parts of the line."""
    for of_message, of_before, of_after, text in _ADVICE:
        if re.match(of_message, message, re.IGNORECASE) and re.search(of_before, before) and re.match(of_after, after):
            return text
    return ""
