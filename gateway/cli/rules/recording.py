"""Which journal a command reads, and with which rules: those of the configuration, or others in the place of the
site's."""

import argparse
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.cli.options import print_problems

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.journal.entry import Entry
    from gateway.policy.profiles import Profiles


class Recordings(Struct, frozen=True):
    """A journal that is there to be read, and rules."""

    place: str
    profiles: "Profiles"

    @property
    def name(self) -> str:
        from gateway.journal.database import name

        return name(self.place)

    def since(self, moment: float) -> "Iterator[Entry]":
        """Raises JournalError."""
        from gateway.journal.reader import reading

        with reading(self.place) as reader:
            yield from reader.since(moment)

    def between(self, since: float, until: float | None) -> "Iterator[Entry]":
        """They come in the order of time. Raises JournalError."""
        entries = self.since(since)
        return entries if until is None else takewhile(lambda entry: entry.began < until, entries)

    def of(self, identity: str) -> "list[Entry]":
        """Raises JournalError."""
        from gateway.journal.reader import reading

        with reading(self.place) as reader:
            return reader.of(identity)


def opened(options: argparse.Namespace) -> Recordings | None:
    """None where problems were printed."""
    from gateway.config import DEFAULT_PATH, ConfigError, load
    from gateway.policy.rules import RulesError

    try:
        settings = load(options.config or DEFAULT_PATH)
        if settings.journal.enabled:
            return Recordings(settings.journal.place(settings.state_directory), _profiles(settings, options.rules))
    except (ConfigError, RulesError) as error:
        print_problems(error.problems)
        return None
    print("mailward rules: [journal] enabled is false", file=sys.stderr)
    return None


def _profiles(settings: "Settings", site: Path | None) -> "Profiles":
    """Raises RulesError."""
    from gateway.rulesets import load_profiles, load_with_site

    return load_with_site(settings, site) if site else load_profiles(settings)
