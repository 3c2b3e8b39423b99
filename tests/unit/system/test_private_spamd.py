"""A private spamd: its configuration and its command. SpamAssassin's own linter judges what we ship."""

import subprocess
from pathlib import Path

import pytest

from gateway.system import private_spamd
from gateway.system.private_spamd import NoSpamd, PrivateSpamd
from tests.support.spamd import SHIPPED, TRUST, is_installed

ROOT = Path(__file__).parents[3]
needs_spamd = pytest.mark.skipif(not is_installed(), reason="spamd is not installed")


@pytest.fixture
def private(tmp_path):
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783", children=3)
    spamd.prepare(shipped=SHIPPED, trust=TRUST)
    return spamd


def lint(site: Path, *options: str) -> str:
    """What SpamAssassin has to say against a configuration; it says nothing of a good one."""
    command = ["spamassassin", f"--siteconfigpath={site}", "--lint", "--nocreate-prefs", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


@needs_spamd
@pytest.mark.spamd
@pytest.mark.parametrize("options", [(), ("--local",)])
def test_what_is_written_has_no_fault_in_spamassassins_eyes(private, options):
    assert lint(private.directory / "site", *options) == ""


@needs_spamd
@pytest.mark.spamd
def test_shipped_files_suit_a_spamd_that_loads_every_plugin(private, monkeypatch):
    monkeypatch.setattr(private_spamd, "_plugins_of_ours_re", private_spamd.re.compile(r"(?!)"))
    private.prepare(shipped=SHIPPED, trust=TRUST)
    assert lint(private.directory / "site") == ""


def test_a_directory_among_the_files_is_passed_over(tmp_path):
    (tmp_path / "rules/old").mkdir(parents=True)
    (tmp_path / "rules/50-site.cf").touch()
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783")
    spamd.prepare(shipped=tmp_path / "rules", trust="")
    assert (spamd.site / "50-site.cf").is_file()
    assert not (spamd.site / "old").exists()


def test_plugins_whose_work_the_gateway_does_are_not_loaded(tmp_path, monkeypatch):
    plugins = tmp_path / "v312.pre"
    plugins.write_text("loadplugin Mail::SpamAssassin::Plugin::DKIM\nloadplugin Mail::SpamAssassin::Plugin::SPF\n")
    monkeypatch.setattr(private_spamd, "SYSTEM_CONFIGURATIONS", (tmp_path / "none", tmp_path))
    spamd = PrivateSpamd(directory=tmp_path / "spamd", listen="127.0.0.1:1783")
    spamd.prepare(shipped=SHIPPED, trust=TRUST)
    assert (tmp_path / "spamd" / "site" / "v312.pre").read_text() == (
        "# loadplugin Mail::SpamAssassin::Plugin::DKIM\nloadplugin Mail::SpamAssassin::Plugin::SPF\n"
    )


def test_preparing_again_leaves_nothing_of_the_last_time(private):
    stale = private.directory / "site" / "stale.cf"
    stale.write_text("score GTUBE 0\n")
    private.prepare(shipped=SHIPPED, trust=TRUST)
    assert not stale.exists()


@needs_spamd
def test_command_names_the_place_the_children_and_further_options(private):
    command = private.command("--local")
    assert command[0].endswith("/spamd")
    assert "--listen=127.0.0.1:1783" in command
    assert "--max-children=3" in command
    assert command[-1] == "--local"


def test_without_spamd_it_says_how_to_get_it(private, monkeypatch):
    monkeypatch.setattr(private_spamd.shutil, "which", lambda name, path: None)
    with pytest.raises(NoSpamd, match="apt-get install spamd"):
        private.command()
