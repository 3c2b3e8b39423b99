"""DNS out of a table."""

import pytest

from gateway.system.dns import Status
from gateway.system.fixeddns import FixedDns

TABLE = {
    "Example.org": {"TXT": ["v=spf1 -all"], "MX": ["10 MX.example.org."], "A": ["192.0.2.1"]},
    "broken.example": {"TXT": "servfail", "A": "timeout"},
}


@pytest.mark.parametrize(
    ("name", "rrtype", "records"),
    [
        ("example.org", "TXT", (b"v=spf1 -all",)),
        ("EXAMPLE.ORG.", "MX", ((10, "mx.example.org"),)),
        ("example.org", "A", ("192.0.2.1",)),
    ],
)
async def test_records_are_as_a_resolver_gives_them(name: str, rrtype: str, records: tuple[object, ...]) -> None:
    answer = await FixedDns(TABLE).query(name, rrtype)
    assert (answer.status, answer.records) == (Status.OK, records)


@pytest.mark.parametrize(
    ("name", "rrtype", "status"),
    [
        ("example.org", "AAAA", Status.NODATA),
        ("example.net", "A", Status.NXDOMAIN),
        ("broken.example", "TXT", Status.SERVFAIL),
        ("broken.example", "A", Status.TIMEOUT),
        ("x" * 300, "A", Status.NXDOMAIN),
    ],
)
async def test_what_is_missing_or_broken_is_told_apart(name: str, rrtype: str, status: Status) -> None:
    dns = FixedDns(TABLE)
    assert (await dns.query(name, rrtype)).status is status
    assert dns.cached(name, rrtype) == await dns.query(name, rrtype)


@pytest.mark.parametrize(
    "types", [{"TXT": "x"}, {"MX": ["mail.example.org"]}, {"SOA": ["x"]}, {"A": [1]}, {"TXT": [["x"]]}]
)
def test_what_is_no_record_is_refused(types: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        FixedDns({"example.org": types})  # type: ignore[dict-item]
