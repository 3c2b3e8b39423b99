"""Ids: names for connections, unique among all workers and hosts without asking any of them, in the order of time."""

import os

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that is taken for a digit
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # ten bits each
_RANDOM_OCTETS = 5  # among the connections of one millisecond, one in 10**12 pairs is alike
_MILLISECONDS = 1 << 40


def connection_id(now: float) -> str:
    """A new id of 16 letters and digits: 40 bits of the time (`now`, Unix time) in milliseconds, 40 bits of chance."""
    number = int(now * 1000) % _MILLISECONDS << 8 * _RANDOM_OCTETS | int.from_bytes(os.urandom(_RANDOM_OCTETS))
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(70, -1, -10)])


def envelope_id(connection: str, transaction: int) -> str:
    """The id of a connection's n-th transaction: whoever sees a message's id knows the connection it came on."""
    return f"{connection}.{transaction}"
