"""The table [journal]."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.journal.database import file_of
from gateway.journal.settings import JournalSettings


@pytest.mark.parametrize(
    "url", ["", "sqlite:///var/lib/x.db", "postgresql://db/mailward", "postgresql://u:p@/x?host=/run/postgresql"]
)
def test_places_that_can_be_named(url: str) -> None:
    assert JournalSettings(url=url).url == url


@pytest.mark.parametrize(
    "url", ["/var/lib/x.db", "sqlite:x.db", "sqlite:///", "postgresql://", "mysql://db/x", "postgres"]
)
def test_places_that_cannot(url: str) -> None:
    with pytest.raises(ValidationError, match="is no sqlite:///PATH"):
        JournalSettings(url=url)


def test_a_password_is_not_told_with_the_error() -> None:
    with pytest.raises(ValidationError) as error:
        JournalSettings(url="mysql://user:secret@db/x")
    assert "secret" not in error.value.errors()[0]["msg"]


def test_by_default_it_is_in_the_state_directory() -> None:
    assert JournalSettings().place(Path("/var/lib/mailward")) == "sqlite:////var/lib/mailward/journal.db"
    assert file_of(JournalSettings().place(Path("/var/lib/mailward"))) == "/var/lib/mailward/journal.db"
    assert file_of("sqlite:///var/lib/x.db") == "/var/lib/x.db"
    assert file_of("postgresql://db/x") == ""


def test_hashing_needs_a_key() -> None:
    with pytest.raises(ValidationError, match="redact_key must have at least 16 characters"):
        JournalSettings.model_validate({"redact": {"sender": "hash"}})
    JournalSettings.model_validate({"redact": {"sender": "hash"}, "redact_key": "k" * 16})
    JournalSettings.model_validate({"redact": {"sender": "drop"}})
