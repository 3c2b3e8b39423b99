"""Progress: how many messages there have been, told on standard error where somebody looks on."""

import sys

STEP = 10  # messages after which it is told again


def tell_progress(messages: int) -> None:
    if messages % STEP == 0 and sys.stderr.isatty():
        print(f"\r{messages} messages", end="\r", file=sys.stderr, flush=True)
