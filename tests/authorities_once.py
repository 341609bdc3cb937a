"""The machine's certificate authorities are read once a process: httpx2 reads them for each client that it makes, which takes 30 ms and is most of what many a test costs."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

import httpcore2

if TYPE_CHECKING:
    from ssl import SSLContext


def make_authorities_once() -> None:
    """From here on clients that were given no authorities of their own share the machine's; no call changes them."""
    read = httpcore2.default_ssl_context

    @cache
    def read_once(_file: str | None, _folder: str | None, *, trust: bool) -> SSLContext:
        return read(_trust_env=trust)

    def shared(*, _trust_env: bool = True) -> SSLContext:
        # What is set elsewhere in the environment is read from there.
        return read_once(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), trust=_trust_env)

    httpcore2.default_ssl_context = shared
