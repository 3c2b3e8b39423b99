"""The wheel: installed away from the clone, the command finds the shipped rules."""

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.trying import ROOT

LETTER = "From: you@example.com\nTo: me@example.org\nSubject: Hello\n\nA first message.\n"


@dataclass(frozen=True)
class Installed:
    wheel: Path
    bin: Path
    elsewhere: Path  # a working directory in which there is nothing

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment. The libraries are this environment's, so that nothing is downloaded."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.elsewhere),
            "PYTHONPATH": sysconfig.get_path("purelib"),
        }
        name, *arguments = command
        return subprocess.run(
            [self.bin / name, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.elsewhere,
            env=environment,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    if importlib.util.find_spec("hatchling") is None:
        message = "hatchling is not installed: no wheel is built"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    root = tmp_path_factory.mktemp("wheel")
    (root / "elsewhere").mkdir()
    _python("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(root), str(ROOT))
    [wheel] = root.glob("mailward-*.whl")
    environment = root / "environment"
    _python("-m", "venv", "--without-pip", str(environment))
    interpreter = str(environment / "bin" / "python")
    _python("-m", "pip", "--quiet", "--python", interpreter, "install", "--no-deps", "--no-index", str(wheel))
    return Installed(wheel, environment / "bin", root / "elsewhere")


def _python(*arguments: str) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_the_rules_and_the_files_for_a_deployment(installed: Installed) -> None:
    inside = zipfile.ZipFile(installed.wheel).namelist()
    for folder in ("rules", "deploy"):
        for file in (path for path in (ROOT / folder).rglob("*") if path.is_file()):
            assert f"gateway/_shipped/{file.relative_to(ROOT)}" in inside
    assert not any(name.startswith(("tests/", "docs/", "rules/", "deploy/")) for name in inside)
    assert not any(name.endswith(".pyc") for name in inside)


def test_it_is_the_wheel_that_is_run(installed: Installed) -> None:
    done = installed.run("python", "-c", "import gateway; print(gateway.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.bin.parent), done.stderr


def test_the_shipped_rules_are_found(installed: Installed) -> None:
    done = installed.run("mailward", "rules", "check")
    assert (done.returncode, done.stderr) == (0, "")
    rules = sum(path.read_text().count("\n[[rule]]\n") for path in (ROOT / "rules").glob("*.toml"))
    assert done.stdout.startswith(f"{rules} rules, version ")
    assert installed.run("mailward", "rules", "test").returncode == 0


def test_a_message_is_checked_without_a_configuration(installed: Installed) -> None:
    (installed.elsewhere / "letter.eml").write_text(LETTER)
    done = installed.run("mailward", "check", "letter.eml", "--ip", "192.0.2.1", "--json", "--dns", "127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "unscored" in json.loads(done.stdout)["verdict"]["rules"]


def test_the_shipped_configuration_is_right(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        (installed.elsewhere / "mailward.toml").write_bytes(archive.read("gateway/_shipped/deploy/mailward.toml"))
    done = installed.run("mailward", "config", "check", "--config", "mailward.toml")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_that_of_the_wheel(installed: Installed) -> None:
    version = installed.wheel.name.split("-")[1]
    assert installed.run("mailward", "--version").stdout == f"mailward {version}\n"
