"""Mailward: an inbound SMTP filter gateway. Read journey.py first."""

__version__ = "0.1.0"
