"""Starts ministack so that it listens on loopback only.

BIND_HOST binds its HTTP gateway, but its MQTT listener asks for 0.0.0.0 whatever BIND_HOST says. Every server that
ministack opens goes through asyncio's `create_server`, so this program narrows any wildcard address given there before
ministack is imported. Run it like `python -m ministack`.
"""

from __future__ import annotations

import asyncio
import runpy

LOOPBACK = "127.0.0.1"
WILDCARDS = {None, "", "0.0.0.0", "::"}
_create_server = asyncio.BaseEventLoop.create_server


async def create_server_on_loopback(self, protocol_factory, host=None, port=None, **options):
    """As asyncio's own, but a wildcard host becomes loopback; a ready-made socket stays what it is."""
    narrowed = LOOPBACK if host in WILDCARDS and "sock" not in options else host
    return await _create_server(self, protocol_factory, narrowed, port, **options)


if __name__ == "__main__":
    asyncio.BaseEventLoop.create_server = create_server_on_loopback
    runpy.run_module("ministack", run_name="__main__")
