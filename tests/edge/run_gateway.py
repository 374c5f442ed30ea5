"""Runs one gateway as its own process, so that a test may kill it.

python -m tests.edge.run_gateway FILE BROKER_PORT HOME
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from edge.broker import BrokerAddress
from edge.config import load_gateway
from edge.gateway import run


async def main() -> None:
    file, port, home = sys.argv[1:]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(load_gateway(Path(file)), BrokerAddress("127.0.0.1", int(port)), Path(home), stop)


if __name__ == "__main__":
    asyncio.run(main())
