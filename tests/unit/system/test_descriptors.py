"""How many connections a process has descriptors for."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.system.descriptors import EACH, connections_within, needed_for

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("connections", [1, 10, 2000, 100_000])
def test_as_many_connections_fit_as_were_asked_for(connections: int) -> None:
    needed = needed_for(connections)
    assert connections_within(needed) == connections
    assert connections_within(needed + EACH) == connections + 1


def test_there_is_room_for_one_in_any_case() -> None:
    assert connections_within(0) == 1


def test_soft_limit_is_raised_to_the_hard_one() -> None:
    script = """
import resource
from gateway.system.descriptors import highest, limit, raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
print(limit(), highest(), raise_limit(), limit())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100", "300", "300", "300"]
