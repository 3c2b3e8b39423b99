"""Replies: what the session itself tells a client (RFC 5321 section 4.2, RFC 3463, RFC 5248)."""

from gateway.reply import reply
from gateway.smtp.inbox import BadLine
from gateway.smtp.intake import Fault

OK = reply("250 2.0.0", "OK")
BYE = reply("221 2.0.0", "Goodbye")
READY_FOR_TLS = reply("220 2.0.0", "Ready to start TLS")
START_MAIL = reply("354", "End data with <CR><LF>.<CR><LF>")
NOT_VERIFIED = reply("252 2.5.2", "Addresses are not verified here; send a message and see")

# Syntax and sequence.
LINE = {
    BadLine.TOO_LONG: reply("500 5.5.2", "Command line too long"),
    BadLine.BARE_LINE_END: reply("500 5.5.2", "A line ends with <CR><LF>, and has neither of them elsewhere"),
    BadLine.UNREADABLE: reply("500 5.5.2", "Commands are printable text in UTF-8"),
}
UNKNOWN = reply("500 5.5.2", "Command not recognized")
NOT_IMPLEMENTED = reply("502 5.5.1", "Command not implemented")
NEED_ARGUMENT = reply("501 5.5.4", "This command needs an argument")
NO_ARGUMENT = reply("501 5.5.4", "This command takes no argument")
HELO_SYNTAX = reply("501 5.5.4", "Give the name of your host")
MAIL_SYNTAX = reply("501 5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
RCPT_SYNTAX = reply("501 5.5.4", "Syntax: RCPT TO:<address> [parameters]")
BAD_PARAMETER = reply("501 5.5.4", "A parameter is malformed or given twice")
UNKNOWN_PARAMETER = reply("555 5.5.4", "A parameter is not known or not offered")
NEEDS_SMTPUTF8 = reply("553 5.6.7", "A non-ASCII address needs SMTPUTF8")
NEED_HELO = reply("503 5.5.1", "Send EHLO or HELO first")
NEED_MAIL = reply("503 5.5.1", "Send MAIL first")
UNDER_WAY = reply("503 5.5.1", "A transaction is under way")
NOT_TRUSTED = reply("550 5.7.0", "You may not speak for others")
XCLIENT_SYNTAX = reply("501 5.5.4", "Syntax: XCLIENT attribute=value...; what follows would be taken for your own")
NO_RECIPIENTS = reply("554 5.5.1", "No valid recipients")
NOT_AMONG_CHUNKS = reply("503 5.5.1", "The message is coming by BDAT: go on with it, or send RSET")
CHUNK_TAKEN = reply("250 2.0.0", "Chunk taken")
CHUNK_SYNTAX = reply("501 5.5.4", "Syntax: BDAT size [LAST]; what follows cannot be told from commands")

# Limits.
TOO_LARGE = reply("552 5.3.4", "Message too large")
TOO_MANY_RECIPIENTS = reply("452 4.5.3", "Too many recipients, send the rest in another transaction")
NO_ROOM = reply("452 4.3.1", "Insufficient storage, try again later")
BUSY = reply("452 4.3.1", "Too many messages at once, try again later")
MESSAGE = {
    Fault.BARE_LINE_END: reply("554 5.6.11", "Message refused: it has a CR or an LF without the other"),
    Fault.NUL: reply("554 5.6.11", "Message refused: it has a NUL octet"),
    Fault.LONG_LINE: reply("554 5.6.11", "Message refused: it has a line that is too long"),
    Fault.TOO_LARGE: TOO_LARGE,
    Fault.NO_ROOM: NO_ROOM,
}

NO_TLS = reply("503 5.5.1", "STARTTLS is not offered now")

# Farewells: the connection is closed after each.
TIMED_OUT = reply("421 4.4.2", "Timed out waiting for you")
SHUTTING_DOWN = reply("421 4.3.2", "Service is shutting down, try again")
FULL = reply("421 4.3.2", "Too many connections, try again later")
TOO_MANY_OF_ADDRESS = reply("421 4.7.0", "Too many connections from your address, try again later")
TOO_MANY_OF_NETWORK = reply("421 4.7.0", "Too many connections from your network, try again later")
CROWDED = (FULL, TOO_MANY_OF_ADDRESS, TOO_MANY_OF_NETWORK)
TOO_MANY_ERRORS = reply("421 4.7.0", "Too many errors")
TOO_MANY_COMMANDS = reply("421 4.7.0", "Too many commands without a message")
ENOUGH = reply("421 4.7.0", "Enough mail on one connection, connect again")
TOO_MANY_REFUSED = reply("421 4.7.0", "Too many refused recipients")
NOT_SMTP = reply("421 4.7.0", "This is SMTP")
UNAVAILABLE = reply("421 4.3.0", "Local trouble, try again later")
