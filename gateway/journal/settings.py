"""The settings of the journal."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.settings import Section
from gateway.system.redaction import Redactable, Redaction, require_key

FILE_NAME = "journal.db"  # in the state directory, where no other place is named
SQLITE, POSTGRESQL = "sqlite:///", "postgresql://"


def _place(url: str) -> str:
    if url and not any(url.startswith(scheme) and len(url) > len(scheme) for scheme in (SQLITE, POSTGRESQL)):
        raise ValueError(f'"{url.partition(":")[0]}" is no sqlite:///PATH and no postgresql://HOST/DATABASE')
    return url


class JournalSettings(Section):
    """The table [journal]: a row for each message, refusal and loss, with every fact that rules could read and nothing
    of the content. Rules are replayed on it and tuned by it. A change of enabled needs a restart."""

    enabled: bool = True
    """Whether there is a journal."""

    url: Annotated[str, AfterValidator(_place)] = ""
    """Where it is: "sqlite:///PATH", or "postgresql://USER:PASSWORD@HOST/DATABASE", which several hosts may share.
    Empty: the file journal.db in the state directory."""

    expiry: float = Field(default=30.0, gt=0)
    """Days after which a row is removed."""

    redact: dict[Redactable, Redaction] = Field(default_factory=dict)
    """Which values are changed before they are written, and how: as in [log]. A fact that says the same is not written
    at all, so that a rule that reads it cannot be replayed."""

    redact_key: str = ""
    """The key of "hash": at least 16 characters, known to nobody else; that of [log] gives the same hashes as there."""

    batch: int = Field(default=500, ge=1, le=10_000)
    """Rows that are written at once."""

    interval: float = Field(default=1.0, gt=0)
    """Seconds after which rows are written, though there are fewer."""

    queue: int = Field(default=5000, ge=1)
    """Rows, of some 3 KB, that may wait in a worker while the journal cannot take them; further ones are dropped."""

    patience: float = Field(default=60.0, gt=0)
    """Seconds during which a batch is tried again while the database is locked, full or away; then it is dropped."""

    @model_validator(mode="after")
    def _hash_needs_a_key(self) -> Self:
        require_key(self.redact, self.redact_key)
        return self

    def place(self, state_directory: Path) -> str:
        """The URL in force."""
        return self.url or f"{SQLITE}{state_directory / FILE_NAME}"
