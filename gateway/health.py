"""Health: turns the configuration and a look at the world into findings, each with what to do about it.

Asked for by `mailward doctor`. It connects to what the gateway connects to, and changes nothing.
"""

import asyncio
import ctypes
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from gateway.config import Settings
from gateway.delivery.client import open_client
from gateway.delivery.endpoint import parse_endpoint
from gateway.delivery.outcome import DeliveryError
from gateway.delivery.routes import terms_of
from gateway.delivery.settings import MAILDIR, RouteSettings
from gateway.scoring.client import Patience, Spamd
from gateway.scoring.hosts import parse_address
from gateway.system.dns import DnsResolver, Resolver, Status
