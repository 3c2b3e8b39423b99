"""Rules files: directories of TOML files to one table a rule, each value with the place where it was written.

The directories are read in their order, the files of each in the order of their names. A table in a later directory
whose id is already known changes only the keys that it names.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct

from gateway.policy.keys import ID_FORM, KEYS, MISNAMED
from gateway.tomlfile import Path, Problem, TomlFile, Unreadable, did_you_mean, read

# What a key says is about another key's value: where that changes, what was inherited goes.
_DEPENDENT: Mapping[str, tuple[str, ...]] = {
    "when": ("stage", "example"),
    "then": ("score", "reply", "final"),
    "score": ("then", "reply", "final"),
}

_id_re = re.compile(ID_FORM + r"\Z")
_not_in_ids_re = re.compile(r"[^a-z0-9_.-]+")


class Value(Struct, frozen=True):
    """A value of a rules file and where it stands."""

    value: Any
    file: TomlFile
    path: Path

    def within(self, step: str | int) -> "Value":
        """The value of a key of a table, or of an element of an array."""
        return Value(self.value[step], self.file, (*self.path, step))

    def problem(self, message: str, hint: str = "") -> Problem:
        return self.file.problem(self.path, message, hint)

    def problem_in_text(self, offset: int, message: str, hint: str = "") -> Problem:
        """A problem at a character of a text."""
        place = self.file.place_in_text(self.path, offset)
        return Problem(self.file.name, place.line, place.column, message, hint)


class Table(Struct, frozen=True):
    """One rule as the files have it. `values` lacks those that were wrong; then it is not `whole`."""

    id: str
    here: Value  # the table itself, the first one of that id
    values: Mapping[str, Value]
    whole: bool

    def changed_by(self, other: "Table") -> "Table":
        """This table with the keys that another one names."""
        values = dict(self.values)
        for key, value in other.values.items():
            if key not in values or values[key].value != value.value:
                for dependent in _DEPENDENT.get(key, ()):
                    values.pop(dependent, None)
        merged = {**values, **other.values}
        return Table(id=self.id, here=self.here, values=merged, whole=self.whole and other.whole)


def read_tables(directories: Sequence[FilePath]) -> tuple[dict[str, Table], list[Problem]]:
    """The rules of some directories by id, in the order in which they are read, and all problems of their files."""
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    for directory in directories:
        found = _directory_tables(directory, problems)
        for name, table in found.items():
            if name not in tables and table.whole and "when" not in table.values:
                problems.append(table.here.problem(f'there is no rule "{name}" to change', did_you_mean(name, tables)))
            else:
                tables[name] = tables[name].changed_by(table) if name in tables else table
    return tables, problems


def _directory_tables(directory: FilePath, problems: list[Problem]) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for file in _files(directory, problems):
        for table in _file_tables(file, problems):
            if table.id in tables:
                other = tables[table.id].here
                place = f"{other.file.name}:{other.file.place(other.path).line}"
                problems.append(table.values["id"].problem(f'"{table.id}" is the id of another rule, {place}'))
            else:
                tables[table.id] = table
    return tables


def rules_files(directory: FilePath) -> list[FilePath]:
    """The files of a directory that are read, in their order. Raises OSError, but not where there is none."""
    try:
        entries = sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    return [path for path in entries if path.suffix == ".toml" and not path.name.startswith(".")]


def _files(directory: FilePath, problems: list[Problem]) -> list[TomlFile]:
    files = []
    try:
        paths = rules_files(directory)
    except OSError as error:
        problems.append(Problem(str(directory), 1, 1, f"cannot be read: {error.strerror}"))
        return []
    for path in paths:
        try:
            files.append(_read(path))
        except Unreadable as error:
            problems.append(error.problem)
    return files


def _read(path: FilePath) -> TomlFile:
    """Raises Unreadable. A pipe would be waited for."""
    if path.is_fifo():
        raise Unreadable(Problem(str(path), 1, 1, "cannot be read: it is a pipe"))
    return read(path)


def _file_tables(file: TomlFile, problems: list[Problem]) -> list[Table]:
    problems += [
        file.problem((key,), f'unknown key "{key}"', "a rules file holds [[rule]] tables and nothing else")
        for key in file.data
        if key != "rule"
    ]
    rules = file.data.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        problems.append(file.problem(("rule",), "each rule is a table of its own", "write [[rule]]"))
        return []
    return [_table(Value(rule, file, ("rule", number)), problems) for number, rule in enumerate(rules)]


def _table(here: Value, problems: list[Problem]) -> Table:
    """One rule. Without a right id it goes by its place, so that its other problems are found as well."""
    values = {key: Value(value, here.file, (*here.path, key)) for key, value in here.value.items()}
    wrong = {key: problem for key, value in values.items() if (problem := _key_problem(key, value)) is not None}
    problems += wrong.values()
    if "id" not in values:
        problems.append(here.problem('a rule needs an "id"'))
    right = {key: value for key, value in values.items() if key not in wrong}
    if "id" in right:
        return Table(id=right["id"].value, here=here, values=right, whole=not wrong)
    line = here.file.place(here.path).line
    return Table(
        id=f"{here.file.name}:{line}", here=here, values=right, whole="when" in right and wrong.keys() <= {"id"}
    )


def _key_problem(key: str, value: Value) -> Problem | None:
    if key not in KEYS:
        hint = f'did you mean "{MISNAMED[key]}"?' if key in MISNAMED else did_you_mean(key, KEYS)
        return value.problem(f'unknown key "{key}"', hint)
    if type(value.value) not in KEYS[key].form.types:
        return value.problem(f"{key} is {KEYS[key].form.noun}", KEYS[key].form.written)
    if key == "id" and not _id_re.match(value.value):
        likely = _not_in_ids_re.sub("-", value.value.lower()).strip("-_.")
        hint = f'such as "{likely}"' if _id_re.match(likely) else ""
        return value.problem('an id has at most 64 of a to z, 0 to 9, "-", "_" and "."', hint)
    return None
