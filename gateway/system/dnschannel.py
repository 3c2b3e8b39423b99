"""DNS channel: turns one question into one answer by asking recursive name servers (RFC 1035, RFC 2308).

c-ares asks. It refuses names with characters that host names do not have, and macros of SPF records bring any: those
rare names are asked for with dnspython.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import aiodns
import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import pycares

from gateway.system.dnscache import Answer, Question, Status
from gateway.system.dnsrecords import from_ares, from_dnspython, read_answer

PORT = 53

# c-ares keeps every answer for up to an hour, without a bound and without a way to switch it off, in 1.2 KB or more; so
# that nobody can fill our memory with names, the library's channel is replaced before that becomes much.
MAX_KEPT_OCTETS = 32 * 1024 * 1024
ANSWER_OCTETS = 1500

_RANDOM_CASE = 1 << 10  # ARES_FLAG_DNS0x20: what a forger must guess besides; TCP where a server does not echo the case
_FLAGS = pycares.ARES_FLAG_EDNS | pycares.ARES_FLAG_NO_DFLT_SVR | _RANDOM_CASE

_STATUS_BY_ERROR = {
    pycares.errno.ARES_ENOTFOUND: Status.NXDOMAIN,
    pycares.errno.ARES_ENODATA: Status.NODATA,
    pycares.errno.ARES_ETIMEOUT: Status.TIMEOUT,
    pycares.errno.ARES_ECONNREFUSED: Status.TIMEOUT,
    pycares.errno.ARES_ECANCELLED: Status.TIMEOUT,
}  # everything else: SERVFAIL

_STATUS_BY_RCODE = {dns.rcode.NOERROR: Status.OK, dns.rcode.NXDOMAIN: Status.NXDOMAIN}  # everything else: SERVFAIL


@dataclass(slots=True)
class _Library:
    """One channel of c-ares, what it has kept by now, and how many lookups still need it."""

    resolver: aiodns.DNSResolver
    octets: int = 0
    under_way: int = 0


@dataclass(slots=True)
class Channel:
    """The servers, each "ADDRESS" or "ADDRESS:PORT"; none stands for those of the system. `timeout` seconds are given
    to the first try. Made inside a running event loop."""

    servers: Sequence[str]
    timeout: float
    tries: int
    max_kept: int = MAX_KEPT_OCTETS
    _library: _Library = field(init=False)

    def __post_init__(self) -> None:
        self._library = self._open()

    async def ask(self, question: Question) -> Answer:
        """What the servers say, with the TTL as it came. Raises nothing."""
        if is_host_name(question[0]):
            return await self._ask_ares(question)
        return await self._ask_dnspython(question)

    async def close(self) -> None:
        await self._library.resolver.close()

    def _open(self) -> _Library:
        return _Library(
            aiodns.DNSResolver(
                nameservers=self.servers or None,
                timeout=self.timeout,
                tries=self.tries,
                flags=_FLAGS,
            )
        )

    async def _ask_ares(self, question: Question) -> Answer:
        library = self._library
        library.under_way += 1
        try:
            result = await library.resolver.query_dns(*question)
        except aiodns.error.DNSError as error:
            answer = Answer(_STATUS_BY_ERROR.get(error.args[0], Status.SERVFAIL))
        else:
            answer = read_answer(from_ares(result), *question)
        finally:
            library.under_way -= 1
        await self._replace(library, answer)
        return answer

    async def _replace(self, library: _Library, answer: Answer) -> None:
        library.octets += ANSWER_OCTETS + answer.octets
        if library.octets > self.max_kept and library is self._library:
            self._library = self._open()
        if library is not self._library and not library.under_way:
            await library.resolver.close()

    async def _ask_dnspython(self, question: Question) -> Answer:
        name = dns.name.Name([*(label.encode("ascii") for label in question[0].split(".")), b""])
        query = dns.message.make_query(name, question[1], use_edns=0)
        answer = Answer(Status.TIMEOUT)
        for server in [server for server in self._addresses() for _ in range(self.tries)]:
            answer = await self._ask_server(query, *server)
            if not answer.is_temporary:
                break
        return answer

    async def _ask_server(self, query: dns.message.Message, address: str, port: int) -> Answer:
        try:
            reply, _ = await dns.asyncquery.udp_with_fallback(query, address, port=port, timeout=self.timeout)
        except dns.exception.Timeout:
            return Answer(Status.TIMEOUT)
        except (dns.exception.DNSException, OSError, EOFError):
            return Answer(Status.SERVFAIL)
        status = _STATUS_BY_RCODE.get(reply.rcode(), Status.SERVFAIL)
        if status is not Status.OK:
            return Answer(status)
        question = query.question[0]
        return read_answer(from_dnspython(reply), question.name.to_text(omit_final_dot=True), question.rdtype.name)

    def _addresses(self) -> list[tuple[str, int]]:
        return [parse_server(server) for server in self.servers or self._library.resolver.nameservers]


def is_host_name(name: str) -> bool:
    """Whether c-ares would ask for `name`."""
    return name.replace(".", "").replace("-", "").replace("_", "").isalnum()


def parse_server(text: str) -> tuple[str, int]:
    """The address and the port of "ADDRESS", "ADDRESS:PORT" or "[ADDRESS]:PORT". Raises ValueError."""
    address, port = text, str(PORT)
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ip_address(address)
    except ValueError:
        raise ValueError(f'"{text}" is not an address or ADDRESS:PORT; a name could not be looked up') from None
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError(f'"{text}" has no port between 1 and 65535')
    return address, int(port)
