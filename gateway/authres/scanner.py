"""Scanner: reads the words, values and comments of RFC 8601 one by one, in linear time and without recursion."""

import re

from gateway.comments import end_of_comment

MAX_SIZE = 16384  # octets; no honest field has a tenth of it, and reading one of a mebibyte would take seconds
TOKEN = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+"  # noqa: S105  RFC 2045 section 5.1

_atext = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_sub_domain = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_domain_name = rf"{_sub_domain}(?:\.{_sub_domain})+"  # RFC 6376 section 3.5

_space_re = re.compile(r"\s*")
_simple_cfws_re = re.compile(r"\s*+(?:\([^()\\]*+\)\s*+){0,200}")  # greedy, as in comments.py; what is left comes next
_quoted_pair_re = re.compile(r"\\(.)", re.DOTALL)
_control_re = re.compile(r"[\x00-\x1f\x7f]")
_keyword_re = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]")
_digits_re = re.compile(r"[0-9]+")
_quoted_re = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"')


class AuthresError(ValueError):
    """A field that is not as RFC 8601 has it; the text says where it parts from it."""


class Scanner:
    """A position in the value of a field. A method that reads something fails with AuthresError where it is not
    there."""

    ADDRESS = rf"(?:{_atext}++(?:\.{_atext}++)*)?@{_domain_name}"  # [ local-part ] "@" domain-name

    _token_re = re.compile(TOKEN)
    _address_re = re.compile(ADDRESS)
    _domain_re = re.compile(f"@{_domain_name}")

    def __init__(self, value: bytes) -> None:
        if len(value) > MAX_SIZE:
            raise AuthresError(f"it is larger than {MAX_SIZE} octets")
        self._text = " ".join(value.decode("utf-8", "replace").split())
        if _control_re.search(self._text):
            raise AuthresError("there is a control character")
        self._position = 0
        self.comment = ""  # the first one that the last skip() met

    def at_end(self) -> bool:
        return self._position >= len(self._text)

    def at(self, character: str) -> bool:
        return self._text.startswith(character, self._position)

    def at_digit(self) -> bool:
        return _digits_re.match(self._text, self._position) is not None

    def skip(self) -> bool:
        """Go over white space and comments (CFWS), if there are any; say whether there were."""
        start = self._position
        self._read(_space_re, "")
        self.comment = self._comment() if self.at("(") else ""
        self._read(_simple_cfws_re, "")
        while self.at("("):
            self._comment()
            self._read(_simple_cfws_re, "")
        return self._position > start

    def expect(self, character: str) -> None:
        """Go over one character with CFWS on both sides."""
        if not self.accept(character):
            raise AuthresError(f"there is no {character!r} at character {self._position + 1}")

    def accept(self, character: str) -> bool:
        """As `expect`, if it is there. White space and comments before it are passed in every case."""
        self.skip()
        if not self.at(character):
            return False
        self._position += len(character)
        self.skip()
        return True

    def accept_none(self) -> bool:
        """Go over "none", if it is all that is left."""
        start = self._position
        word = _keyword_re.match(self._text, start)
        if word is None or word[0].lower() != "none":
            return False
        self._position = word.end()
        self.skip()
        if self.at_end():
            return True
        self._position = start
        return False

    def keyword(self) -> str:
        """A keyword (RFC 5321 section 4.1.2), in lower case."""
        return self._read(_keyword_re, "keyword").lower()

    def digits(self) -> str:
        found = self._read(_digits_re, "number")
        self.skip()
        return found

    def value(self) -> str:
        """A token, or the content of a quoted string (RFC 2045 section 5.1)."""
        return self._quoted() if self.at('"') else self._read(self._token_re, "value")

    def property_value(self) -> str:
        """pvalue: a value, or an address whose local part may be missing or quoted."""
        if self.at('"'):
            start = self._position
            content = self._quoted()
            domain = self._domain_re.match(self._text, self._position)
            if domain is None:
                return content
            self._position = domain.end()
            return self._text[start : self._position]
        return self._read(self._address_re, "") or self._read(self._token_re, "value")

    def _quoted(self) -> str:
        return _unquoted(self._read(_quoted_re, "quoted string")[1:-1])

    def _read(self, pattern: re.Pattern[str], what: str) -> str:
        """What `pattern` finds here; without a name for it, "" where it finds nothing."""
        match = pattern.match(self._text, self._position)
        if match is None:
            if what:
                raise AuthresError(f"there is no {what} at character {self._position + 1}")
            return ""
        self._position = match.end()
        return match[0]

    def _comment(self) -> str:
        """Go over a comment; its content."""
        start, end = self._position, end_of_comment(self._text, self._position)
        if end < 0:
            raise AuthresError("there is a comment that does not end")
        self._position = end
        return _unquoted(self._text[start + 1 : end - 1])


def _unquoted(text: str) -> str:
    """The text with each quoted pair (RFC 5322 section 3.2.1) as what it stands for."""
    return "".join(_quoted_pair_re.split(text))  # many times faster than to replace each
