"""mailward config check: every error of the configuration, of the files it names, and of the rules."""

from pathlib import Path

import pytest

from gateway.cli import main
from tests.support.certificates import make_certificate
from tests.support.sealing import pem
from tests.support.signing import rsa_key

LEAST = """\
hostname = "mx.example.org"
domains = ["example.org"]
[rules]
site = "{site}"
[route.default]
hosts = ["smtp://127.0.0.1:10025"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    file = tmp_path / "mailward.toml"
    file.write_text(LEAST.format(site=tmp_path / "rules.d"))
    return file


def check(config: Path) -> int:
    return main(["config", "check", "--config", str(config)])


def test_a_right_configuration_is_told_with_its_rules(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config) == 0
    assert capsys.readouterr().out.startswith(f"{config}: no errors; ")


def test_errors_are_told_where_editors_look_for_them(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text() + "hold = -1\n[dns]\nserver = []\n")
    assert check(config) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{config}:7:1: must be at least 0",
        f'{config}:9:1: unknown key "server" (did you mean "servers"?)',
    ]


def test_errors_of_rules_and_of_files_are_told_at_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = config.parent / "rules.d" / "site.toml"
    site.write_text('[[rule]]\nid = "x"\nwhy = "x"\nwhen = "spam.scroe > 5"\nthen = "tag"\n')
    missing = config.parent / "missing.pem"
    text = config.read_text() + f'tls_authorities = "{missing}"\n[tls]\ncertificate = "{missing}"\nkey = "{missing}"\n'
    config.write_text(text)
    assert check(config) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{config}: [tls]: {missing} and {missing}: [Errno 2] No such file or directory",
        f"{config}: [route.default] tls_authorities {missing}: No such file or directory",
        f'{site}:4:9: unknown fact "spam.scroe" (did you mean "spam.score"?)',
    ]


def test_a_certificate_with_another_key_is_an_error(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for name in ("one", "two"):
        (config.parent / name).mkdir()
        made.append(make_certificate(config.parent / name, "127.0.0.1"))
    right, wrong = ((made[0].certificate, made[number].key) for number in (0, 1))
    original = config.read_text()
    for (certificate, key), status in ((right, 0), (wrong, 2)):
        config.write_text(f'{original}[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
        assert check(config) == status
    assert "KEY_VALUES_MISMATCH" in capsys.readouterr().err.upper().replace(" ", "_")


def test_a_sealing_key_that_cannot_be_used_is_an_error(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config.parent / "arc.pem"
    config.write_text(f'{config.read_text()}[arc.seal]\ndomain = "mx.example.org"\nselector = "s1"\nkey = "{path}"\n')
    assert check(config) == 2
    path.write_bytes(pem(rsa_key()))
    path.chmod(0o644)
    assert check(config) == 2
    path.chmod(0o640)
    assert check(config) == 0
    path.write_bytes(pem(rsa_key(1024)))
    assert check(config) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{config}: [arc.seal] key: {path} cannot be read: No such file or directory",
        f"{config}: [arc.seal] key: {path} is open to every user of this host: chmod o= {path}",
        f"{config}: [arc.seal] key: {path}: the RSA key has 1024 bits, not 2048 to 4096",
    ]


def test_a_configuration_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "nothing.toml") == 2
    assert capsys.readouterr().err == f"{tmp_path}/nothing.toml:1:1: cannot be read: No such file or directory\n"


def test_trust_prints_our_networks_and_our_identity_for_spamassassin(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + '[networks]\nown = ["198.51.100.0/24"]\nrelays = ["203.0.113.7"]\n')
    assert main(["config", "trust", "--config", str(config)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "trusted_networks 198.51.100.0/24" in printed
    assert "internal_networks 203.0.113.7/32" in printed
    assert printed[-1].startswith("authres_trusted_authserv ")


def test_errors_of_the_configuration_do_not_hide_those_of_the_rules(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "rules.d" / "site.toml").write_text('[[rule]]\nid = "x"\nwhy = "x"\nwhen = "subjet"\n')
    config.write_text(config.read_text() + "hold = -1\n")
    assert check(config) == 2
    told = capsys.readouterr().err
    assert f"{config}:7:1: " in told
    assert 'unknown fact "subjet"' in told


def test_the_directory_of_a_profile_that_is_not_there_is_an_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + '\n[profile.strict]\nrules = "/nonexistent"\n')
    assert check(config) == 2
    assert capsys.readouterr().err == f"{config}: [profile.strict] rules: there is no directory /nonexistent\n"


def test_a_rules_directory_that_is_named_and_not_there_is_an_error(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "rules.d").rmdir()
    assert check(config) == 2
    assert capsys.readouterr().err == f"{config}: [rules] site: there is no directory {config.parent}/rules.d\n"
