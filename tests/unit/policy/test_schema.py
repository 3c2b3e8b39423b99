"""The JSON schema of rules files: what we take it takes, and the plain errors it finds as well."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from gateway.policy.keys import KEYS
from gateway.policy.schema import schema
from gateway.policy.shipped import shipped_rules
from gateway.vocabulary import FACTS
from tests.support.rulespage import PAGE, SCHEMA, current_schema

VALIDATOR = jsonschema.Draft7Validator(schema(FACTS))
SHIPPED = sorted(shipped_rules().glob("*.toml"))


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def test_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(VALIDATOR.schema)


def test_shipped_schema_is_current() -> None:
    assert SCHEMA.read_text() == current_schema(), "write it anew: python -m tests.support.rulespage"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_files_are_valid_and_name_the_schema(file: Path) -> None:
    assert errors(file.read_text()) == []
    assert file.read_text().startswith(f"#:schema {SCHEMA.name}\n")


def test_examples_of_the_page_are_valid() -> None:
    for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        if "[[rule]]" in text:
            assert errors(text) == []


def test_every_key_is_described() -> None:
    described = VALIDATOR.schema["properties"]["rule"]["items"]["properties"]
    assert {name: key.meaning for name, key in KEYS.items()} == {
        name: form["description"] for name, form in described.items()
    }


@pytest.mark.parametrize(
    "line",
    [
        "than = 'tag'",
        "id = 'Not An Id'",
        "then = 'rejct'",
        "then = 'tag'\nscore = 1",
        "score = '1'",
        "score = 5000",
        "stage = 'late'",
        "mode = 'off'",
        "enabled = 1",
        "example = [{ facts = {} }]",
        "example = [{ match = true, facts = { spf.reslt = 'fail' } }]",
        "example = [{ match = true, facts = { 'spf.result' = 'hardfail' } }]",
        "example = [{ match = true, facts = { spam.score = 'high' } }]",
    ],
)
def test_plain_errors_are_found(line: str) -> None:
    named = "" if line.startswith("id") else "id = 'x'\n"
    assert errors(f"[[rule]]\n{named}{line}")


def test_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    from gateway.cli import main

    assert main(["rules", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == VALIDATOR.schema
