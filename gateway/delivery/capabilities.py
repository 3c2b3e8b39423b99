"""Capabilities: turns the answer to EHLO or LHLO into what a next hop offers (RFC 5321 section 4.1.1.1). Pure."""

from typing import Self

from gateway.delivery.answer import Answer


class Capabilities(dict[str, tuple[str, ...]]):
    """What a next hop offers, by keyword in upper case, with the parameters of each. It is never changed."""

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Read an answer to EHLO; its first line is a greeting. Words are only compared, never sent on."""
        words = (line.upper().split() for line in answer.lines[1:])
        return cls({keyword: tuple(parameters) for keyword, *parameters in filter(None, words)})

    def without(self, keyword: str) -> Self:
        """The same, as if that extension were not offered."""
        return type(self)({name: words for name, words in self.items() if name != keyword})

    @property
    def xforward(self) -> tuple[str, ...]:
        """The attributes that XFORWARD takes; empty where it is not offered."""
        return self.get("XFORWARD", ())

    @property
    def xclient(self) -> tuple[str, ...]:
        return self.get("XCLIENT", ())


NOTHING = Capabilities()
