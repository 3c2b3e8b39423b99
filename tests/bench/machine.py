"""What a measurement depends on beside the code: the machine, the interpreter and how it was built, the version."""

import os
import platform
import ssl
import subprocess
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]


def facts() -> dict[str, str]:
    flags = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    built = [name for name in ("--enable-optimizations", "--with-lto") if name in flags]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "version": _version(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": " ".join((platform.python_version(), *built)),
        "compiler": platform.python_compiler(),
        "uvloop": version("uvloop"),
        "openssl": ssl.OPENSSL_VERSION,
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _version() -> str:
    command = ["git", "-c", "safe.directory=*", "-C", ROOT, "describe", "--always", "--dirty", "--tags"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"{version('mailward')}, not out of a repository"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
