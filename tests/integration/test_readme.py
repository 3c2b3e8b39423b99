"""The README's examples, run as somebody who pastes them does, against a running `mailward try`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import COMMANDS
from tests.support.gateway import dns_process
from tests.support.spamd import is_installed
from tests.support.trying import ROOT, Trial, command_line, shell, trying

README = (ROOT / "README.md").read_text(encoding="utf-8")

_example_re = re.compile(r"<!-- test: ([^>]+) -->\n```sh\n(.*?)```", re.DOTALL)
_command_re = re.compile(r"\bmailward ([a-z]+)\b")
_field_re = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)

EXAMPLES = dict(_example_re.findall(README))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    if not is_installed():
        pytest.skip("spamd is not installed: what needs it is left out")
    directory = tmp_path_factory.mktemp("readme")
    with dns_process(directory / "dns", "") as dns, trying(directory) as running:
        with (running.state / "mailward.toml").open("a") as config:
            config.write(f'[dns]\nservers = ["{dns}"]\n')  # for `mailward check`, which reads it anew
        yield running


def run(trial: Trial, example: str) -> str:
    """What an example prints, with this trial's places in the place of the README's."""
    script = EXAMPLES[example]
    for readme, here in (
        (".venv/bin/mailward", command_line()),
        ("127.0.0.1:2525", trial.address),
        ("var/", f"{trial.state}/"),
    ):
        script = script.replace(readme, here)
    done = shell(script, ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run_here() -> None:
    assert list(EXAMPLES) == ["first message", "arrived", "check"]


@pytest.mark.spamd
def test_the_first_message_is_accepted_and_arrives_with_its_fields(trial: Trial) -> None:
    assert "the message: 250 2.0.0 " in run(trial, "first message")
    arrived = run(trial, "arrived")
    assert arrived.endswith("Subject: Hello\n\nA first message.\n")  # the shell's text mode has taken the CRs
    header = arrived.partition("\n\n")[0]
    for name in ("Authentication-Results", "X-Spam-Flag", "X-Spam-Score", "X-Spam-Status", "Received"):
        assert f"\n{name}: " in header
        assert f"`{name}`" in README
    assert re.search(r"^Authentication-Results: localhost;", header, re.MULTILINE)


@pytest.mark.spamd
def test_the_check_shows_what_is_thought_of_the_message_and_why(trial: Trial) -> None:
    shown = run(trial, "check")
    words = [line.split()[0] for line in shown.splitlines() if line.strip()]
    assert {"iprev", "spf", "dkim", "arc", "dmarc", "spam", "verdict", "field"} <= set(words)
    assert "scored" in shown


def test_the_fields_of_the_table_are_those_that_are_written() -> None:
    named = {name for row in _field_re.findall(README) for name in re.findall(r"`([A-Z][\w-]+)`", row)}
    source = "".join(path.read_text() for path in sorted((ROOT / "gateway" / "authres").glob("*.py")))
    assert len(named) == 8
    assert all(f'"{name}"' in source for name in named)


def test_every_command_that_is_named_exists() -> None:
    known = {command.rstrip("_") for command in COMMANDS}
    assert set(_command_re.findall(README)) <= known


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_document_that_is_named_is_there(link: str) -> None:
    assert Path(ROOT / link).is_file()
