"""The Authentication-Results field (RFC 8601): values to octets and octets to values, an inverse pair."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Property:
    """One propspec: Property("smtp", "mailfrom", "example.org"), RFC 8601 section 2.3."""

    ptype: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One resinfo: a method, its result word (RFC 8601 section 2.7), why, a comment for people, and what was looked at."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[Property, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    authserv_id: str
    results: tuple[MethodResult, ...]  # empty: "none"
