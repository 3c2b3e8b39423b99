"""Capabilities: turns the answer to EHLO or LHLO into what a next hop offers (RFC 5321 section 4.1.1.1). Pure."""

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from gateway.delivery.answer import Answer


class Capabilities(Struct, frozen=True):
    """What a next hop offers, by keyword in upper case, with the parameters of each."""

    offered: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Read an answer to EHLO; its first line is a greeting. Words are only compared, never sent on."""
        words = (line.upper().split() for line in answer.lines[1:])
        return cls(offered={keyword: tuple(parameters) for keyword, *parameters in filter(None, words)})

    def without(self, keyword: str) -> Self:
        """The same, as if that extension were not offered."""
        return replace(self, offered={name: words for name, words in self.offered.items() if name != keyword})

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.offered

    @property
    def xforward(self) -> tuple[str, ...]:
        """The attributes that XFORWARD takes; empty where it is not offered."""
        return self.offered.get("XFORWARD", ())

    @property
    def xclient(self) -> tuple[str, ...]:
        return self.offered.get("XCLIENT", ())


NOTHING = Capabilities(offered={})
