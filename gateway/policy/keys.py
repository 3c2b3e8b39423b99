"""Keys: what a rule of the rules files may say, of which type, and what it means."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

ID_FORM = "[a-z0-9][a-z0-9_.-]{0,63}"  # a regular expression of any dialect, for what is matched as a whole


class Form(Enum):
    """What the value of a key may be in TOML: the types that it is read as, and what people call it."""

    TEXT = ((str,), "a text", "in quotes")
    NUMBER = ((int, float), "a number", "without quotes")
    SWITCH = ((bool,), "true or false", "without quotes")
    TEXTS = ((list,), "an array of texts", '["X-A", "X-B"]')
    TABLE = ((dict,), "a table of texts", '{ "X-Class" = "bulk" }')
    TABLES = ((list,), "an array of tables", "[ { match = true, facts = { ... } } ]")

    @property
    def types(self) -> tuple[type, ...]:
        types: tuple[type, ...] = self.value[0]
        return types

    @property
    def noun(self) -> str:
        return str(self.value[1])

    @property
    def written(self) -> str:
        """How it is written, for people."""
        return str(self.value[2])


class Key(Struct, frozen=True):
    """One key. `meaning` is Markdown."""

    form: Form
    meaning: str


KEYS: Mapping[str, Key] = {
    "id": Key(Form.TEXT, "its name: lower-case letters, digits, `-`, `_`, `.`"),
    "why": Key(
        Form.TEXT,
        "the reason, for people: it stands in `mailward check`, `mailward rules explain` and the quarantine",
    ),
    "when": Key(Form.TEXT, "the condition, see [below](#conditions)"),
    "then": Key(Form.TEXT, "the action: `accept`, `tag`, `quarantine`, `defer` or `reject`"),
    "score": Key(
        Form.NUMBER, "instead of an action: points that are added to the total, or with a minus taken from it"
    ),
    "reply": Key(Form.TEXT, "with `reject` and `defer`: what the client is told"),
    "mode": Key(Form.TEXT, '`"enforce"`, or `"shadow"`: the rule is evaluated and recorded, never acted on'),
    "final": Key(Form.SWITCH, "with `accept`: no further rule is read"),
    "stage": Key(Form.TEXT, "a later stage than the earliest possible one"),
    "add": Key(
        Form.TABLE,
        'fields that are put on top of the message: `{ "X-Class" = "bulk, by {author.domain}" }`; values of facts '
        "stand in braces as in a reply",
    ),
    "remove": Key(
        Form.TEXTS,
        'names of fields that are taken out: `["Reply-By"]`; a signature that covers one is broken by that',
    ),
    "prefix_subject_breaking_signatures": Key(
        Form.TEXT,
        '`"[spam]"` is put before the subject, after all checks; the author\'s signature does not outlive it',
    ),
    "scan": Key(Form.TEXT, '`"skip"`: spamd is not asked; for rules that are read before it is'),
    "route": Key(
        Form.TEXT,
        "the name of another `[route.NAME]` to deliver to; for rules that are read at `rcpt` or before, since "
        "recipients are verified there",
    ),
    "enabled": Key(Form.SWITCH, "`false` switches the rule off"),
    "example": Key(Form.TABLES, "facts, and whether the rule matches them; a fact that is not named is absent"),
}

MISNAMED: Mapping[str, str] = {
    **dict.fromkeys(("name", "rule"), "id"),
    **dict.fromkeys(("description", "reason", "comment", "note"), "why"),
    **dict.fromkeys(("if", "condition", "match", "expression"), "when"),
    **dict.fromkeys(("action", "do", "verdict"), "then"),
    **dict.fromkeys(("points", "weight"), "score"),
    **dict.fromkeys(("message", "text", "response"), "reply"),
    **dict.fromkeys(
        ("prefix", "prefix_subject", "subject_prefix", "rewrite_subject"), "prefix_subject_breaking_signatures"
    ),
    **dict.fromkeys(("header", "headers", "add_header"), "add"),
    **dict.fromkeys(("remove_header", "strip"), "remove"),
    **dict.fromkeys(("test", "tests", "examples"), "example"),
}
"""What people call the keys."""
