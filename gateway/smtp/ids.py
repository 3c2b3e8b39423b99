"""Ids: names for connections, unique among all workers and hosts without asking any of them, in the order of time."""

import os

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that is taken for a digit
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # ten bits each
_RANDOM_OCTETS = 5  # among the connections of one millisecond, one in 10**12 pairs is alike
_MILLISECONDS = 1 << 40


def connection_id(now: float) -> str:
    """A new id of 16 letters and digits: 40 bits of the time (`now`, Unix time) in milliseconds, 40 bits of chance."""
    return _written(int(now * 1000) % _MILLISECONDS) + _written(int.from_bytes(os.urandom(_RANDOM_OCTETS)))


def _written(number: int) -> str:
    """40 bits as eight letters and digits."""
    return _PAIRS[number >> 30] + _PAIRS[number >> 20 & 1023] + _PAIRS[number >> 10 & 1023] + _PAIRS[number & 1023]


def envelope_id(connection: str, transaction: int) -> str:
    """The id of a connection's n-th transaction: whoever sees a message's id knows the connection it came on."""
    return f"{connection}.{transaction}"
