"""DNS channel: turns one question into one answer by asking recursive name servers (RFC 1035, RFC 2308).

c-ares asks. It refuses names with characters that host names do not have, and macros of SPF records bring any: those
rare names are asked for with dnspython.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import pycares
from msgspec import Struct

from gateway.system.ares import Ares
from gateway.system.dnscache import Answer, Question, Status
from gateway.system.dnsrecords import from_ares, from_dnspython, read_answer
from gateway.system.nameservers import RESOLV_CONF, SystemServers, parse_server

# c-ares keeps every answer for up to an hour, without a bound and without a way to switch it off, in 1.2 KB or more; so
# that nobody can fill our memory with names, the library's channel is replaced before that becomes much.
MAX_KEPT_OCTETS = 32 * 1024 * 1024
ANSWER_OCTETS = 1500

_STATUS_BY_ERROR = {
    pycares.errno.ARES_ENOTFOUND: Status.NXDOMAIN,
    pycares.errno.ARES_ENODATA: Status.NODATA,
    pycares.errno.ARES_ETIMEOUT: Status.TIMEOUT,
    pycares.errno.ARES_ECONNREFUSED: Status.TIMEOUT,
    pycares.errno.ARES_ECANCELLED: Status.TIMEOUT,
}  # everything else: SERVFAIL

_STATUS_BY_RCODE = {dns.rcode.NOERROR: Status.OK, dns.rcode.NXDOMAIN: Status.NXDOMAIN}  # everything else: SERVFAIL


class _Library(Struct):
    """One channel of c-ares, what it has kept by now, and how many lookups still need it."""

    ares: Ares
    servers: Sequence[str]
    octets: int = 0
    under_way: int = 0


@dataclass(slots=True)
class Channel:
    """The servers, each "ADDRESS" or "ADDRESS:PORT"; none stands for those that `resolv_conf` names at the time.
    `timeout` seconds are given to the first try. Made inside a running event loop."""

    servers: Sequence[str]
    timeout: float
    tries: int
    max_kept: int = MAX_KEPT_OCTETS
    resolv_conf: str = RESOLV_CONF
    _current_servers: Callable[[], Sequence[str]] = field(init=False)
    _library: _Library = field(init=False)

    def __post_init__(self) -> None:
        self._current_servers = (lambda: self.servers) if self.servers else SystemServers(self.resolv_conf)
        self._library = self._open(self._current_servers())

    async def ask(self, question: Question) -> Answer:
        """What the servers say, with the TTL as it came. Raises nothing."""
        if is_host_name(question[0]):
            return await self._ask_ares(question)
        return await self._ask_dnspython(question)

    def close(self) -> None:
        self._library.ares.close()

    def _open(self, servers: Sequence[str]) -> _Library:
        return _Library(Ares(servers, timeout=self.timeout, tries=self.tries), servers)

    def _current(self) -> _Library:
        """A channel that has not kept too much, to the servers of now."""
        library, servers = self._library, self._current_servers()
        if library.octets > self.max_kept or library.servers != servers:
            self._library = self._open(servers)
            self._retire(library)
        return self._library

    def _retire(self, library: _Library) -> None:
        """Close one that has been replaced and that nobody needs any more."""
        if library is not self._library and not library.under_way:
            library.ares.close()

    async def _ask_ares(self, question: Question) -> Answer:
        library = self._current()
        library.under_way += 1
        try:
            found = await library.ares.ask(*question)
        finally:
            library.under_way -= 1
            self._retire(library)
        if isinstance(found, int):
            answer = Answer(_STATUS_BY_ERROR.get(found, Status.SERVFAIL))
        else:
            answer = read_answer(from_ares(found), *question)
        library.octets += ANSWER_OCTETS + answer.octets
        return answer

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
        return [parse_server(server) for server in self._current_servers()]


def is_host_name(name: str) -> bool:
    """Whether c-ares would ask for `name`."""
    return name.replace(".", "").replace("-", "").replace("_", "").isalnum()
