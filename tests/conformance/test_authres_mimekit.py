"""The Authentication-Results values of MimeKit's tests (https://github.com/jstedfast/MimeKit): which are accepted and
which are not. MimeKit reads more than RFC 8601 allows; where it does, the RFC decides."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.authres.field import AuthresError, parse_arc, parse_value

pytestmark = pytest.mark.suites

NO_RESULT = "section 2.2: an authserv-id is followed by results, or by none"
NO_AUTHSERV_ID = "section 2.2: the first word is the authserv-id, and a method is followed by '='"
LAST_SEMICOLON = "section 2.2: a semicolon is followed by a result"
NO_TOKEN = "section 2.2: a value with '/' (RFC 2045) or a domain name with '_' (RFC 6376) stands in quotes"
NO_KEYWORD = "section 2.2: a method or a result is a keyword (RFC 5321), without '.' and '_'"

LAXER_THAN_THE_RFC = {
    "TestParseAuthServId": NO_RESULT,
    "TestParseAuthServIdSemicolon": NO_RESULT,
    "TestParseAuthServIdWithVersion": NO_RESULT,
    "TestParseAuthServIdWithVersionAndSemicolon": NO_RESULT,
    "TestParseNoAuthServId": NO_AUTHSERV_ID,
    "TestParseOffice365RandomDomainTokensAndAction": NO_AUTHSERV_ID,
    "TestParseOffice365RandomDomainTokensAndEmptyPropertyValue": NO_AUTHSERV_ID,
    "TestParseSimpleWithReasonSemiColon": LAST_SEMICOLON,
    "TestParseMethodPropertyValueWithSlash": NO_TOKEN,
    "TestParsePropertyWithEqualSignInValue": NO_TOKEN,
    "TestParseGmailAuthenticationResults": NO_KEYWORD,
    "TestParseMethodResultWithUnderscore": NO_KEYWORD,
}


def is_accepted(value: str) -> bool:
    parse = parse_arc if value.lstrip().startswith("i=") else parse_value
    try:
        parse(value.encode())
    except AuthresError:
        return False
    return True


def test_values_are_accepted_and_refused_as_the_rfc_has_it(
    suites: Path, score: Callable[[str, int, int], None]
) -> None:
    cases = json.loads((suites / "authres" / "mimekit.json").read_text())
    expected = {(name, value): name not in LAXER_THAN_THE_RFC for name, value in cases["ok"]}
    expected.update(((name, value), False) for name, value in cases["fail"])
    different = [name for (name, value), accepted in expected.items() if is_accepted(value) is not accepted]
    score("authres/mimekit.json", len(expected) - len(different), len(expected))
    assert not different
