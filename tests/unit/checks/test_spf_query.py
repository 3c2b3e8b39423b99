"""A query of ours is what pyspf would have made of the same claim."""

from ipaddress import ip_address

import pytest
import spf

from gateway.checks.spf.query import Claim, _Query
from gateway.checks.spf.record import parse_record
from gateway.system.dns import Answer

READ = ("s", "h", "i", "v", "p", "A", "cidrmax", "ipaddr", "strict", "verbose", "libspf_local")
OF_THE_SENDER = ("l", "o", "d")


def nothing(name: str, rrtype: str) -> Answer:
    raise AssertionError(f"{rrtype} of {name} was asked for")


@pytest.mark.parametrize("ip", ["192.0.2.1", "0.0.0.0", "2001:db8::cafe", "::1"])
@pytest.mark.parametrize("local", ["ann", "postmaster", "a+b=c", "ünn", '"a b"', '"a@b"'])
def test_its_attributes_are_those_of_pyspf(ip: str, local: str) -> None:
    claim = Claim(ip=ip_address(ip), helo="Mail.Example", local=local, domain="d.example")
    ours = _Query(claim, nothing, parse_record)
    theirs = spf.query(i=ip, s=f"{local}@d.example", h="Mail.Example")
    assert {name: getattr(ours, name) for name in READ} == {name: getattr(theirs, name) for name in READ}
    assert [getattr(ours, name) for name in OF_THE_SENDER] == [local, "d.example", "d.example"]
    if "@" not in local:  # which pyspf parts there
        assert [getattr(theirs, name) for name in OF_THE_SENDER] == [local, "d.example", "d.example"]
