"""Prints the open TCP ports of an address, one a line: scan.py ADDRESS"""

import asyncio
import sys

AT_ONCE = 2048
PATIENCE = 1.5


async def scan(address):
    turns = asyncio.Semaphore(AT_ONCE)

    async def is_open(port):
        async with turns:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE)
            except (OSError, asyncio.TimeoutError):
                return False
            writer.close()
            return True

    ports = range(1, 65536)
    answers = await asyncio.gather(*map(is_open, ports))
    return [port for port, answer in zip(ports, answers) if answer]


for port in asyncio.run(scan(sys.argv[1])):
    print(port)
