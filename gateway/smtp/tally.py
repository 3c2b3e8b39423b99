"""Tally: counts what a client does that brings no message, and says when it is enough."""

from gateway.connection import Role
from gateway.reply import Reply
from gateway.smtp import replies
from gateway.smtp.settings import SessionSettings


class Tally:
    """The counts of one connection. Each call gives the farewell that the client has earned, if any.

    Clients of our own and relay partners may do as much as they like without a message: they bring other people's mail.
    """

    __slots__ = ("_commands", "_errors", "_messages", "_octets", "_recipients", "_refused", "_settings", "role")

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._messages = self._octets = self._recipients = 0
        self.role = Role.STRANGER
        self.accepted()

    def accepted(self) -> None:
        """A message was accepted: what was counted towards it is forgiven."""
        self._commands = self._errors = self._refused = 0

    def command(self) -> Reply | None:
        self._commands += 1
        return self._of_stranger(replies.TOO_MANY_COMMANDS) if self._commands > self._settings.max_commands else None

    def recipient(self) -> None:
        self._recipients += 1

    def octets(self, count: int) -> None:
        """Of a message, whatever becomes of it."""
        self._octets += count

    def refused_recipient(self) -> Reply | None:
        self._refused += 1
        is_enough = self._refused > self._settings.max_refused_recipients
        return self._of_stranger(replies.TOO_MANY_REFUSED) if is_enough else None

    def transaction(self) -> Reply | None:
        self._messages += 1
        return self._of_stranger(replies.ENOUGH) if self._messages > self._settings.max_messages else self.burden()

    def burden(self) -> Reply | None:
        """Whether the connection has brought as much as one may."""
        limits = self._settings
        is_enough = self._octets > limits.max_octets or self._recipients > limits.max_all_recipients
        return self._of_stranger(replies.ENOUGH) if is_enough else None

    def error(self) -> Reply | None:
        """A wrong command; nobody may go on with these for ever."""
        self._errors += 1
        return replies.TOO_MANY_ERRORS if self._errors > self._settings.max_errors else None

    def _of_stranger(self, farewell: Reply) -> Reply | None:
        return farewell if self.role is Role.STRANGER else None
