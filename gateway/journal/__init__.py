"""The journal: a row for each message, refusal and loss, written by one process off the hot path.

`frame` and `feed` are what a worker needs of it, `keeper` is the supervisor's. `process` writes and `reader` reads:
these, and what they stand on, know SQLAlchemy, which no worker imports.
"""
