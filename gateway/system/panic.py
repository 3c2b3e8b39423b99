"""The panic switch: a file whose existence makes every worker tag-only at once.

It lies in the state directory, so that it outlives a restart, and is asked for with one access(2) a message: that
takes less than a microsecond and is therefore not cached.
"""

import os
from pathlib import Path

FILE_NAME = "panic"
MAX_WHY = 500  # characters shown of a file that anyone with the right to write it has written


class Panic:
    """The switch, seen from every process. While it is on no message is refused, deferred or quarantined."""

    __slots__ = ("_path",)

    def __init__(self, state_directory: Path) -> None:
        self._path = str(state_directory / FILE_NAME)

    @property
    def path(self) -> str:
        return self._path

    def is_on(self) -> bool:
        """Whether it is on. A file that cannot be seen is no switch."""
        return os.access(self._path, os.F_OK)  # as os.path.exists, without the exception that is raised in there

    def why(self) -> str:
        """What was noted when it was switched on, printable; "" where nothing was or it is off."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                text = file.read(MAX_WHY)
        except OSError:
            return ""
        return "".join(character if character.isprintable() else " " for character in text).strip()

    def switch_on(self, why: str) -> None:
        """Raises OSError. The file appears whole: workers see it from the moment it has its name."""
        draft = f"{self._path}.{os.getpid()}"
        with open(draft, "w", encoding="utf-8") as file:
            file.write(f"{why}\n")
        os.replace(draft, self._path)

    def switch_off(self) -> None:
        """Raises OSError; none where it is off already."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return
