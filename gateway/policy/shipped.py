"""Shipped: where the rules lie that come with the gateway, in a wheel and in a clone."""

from pathlib import Path

import gateway

SPAMASSASSIN = "spamassassin"  # the directory of SpamAssassin's own rules, beside rules files

_PACKAGE = Path(gateway.__file__).parent


def shipped_rules() -> Path:
    """The directory of the shipped rules files."""
    installed = _PACKAGE / "_shipped" / "rules"
    return installed if installed.is_dir() else _PACKAGE.parent / "rules"
