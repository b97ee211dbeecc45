"""Prints the open TCP ports of an address, one a line: scan.py ADDRESS"""

import asyncio
import errno
import resource
import sys

AT_ONCE = 2048
PATIENCE = 1.5

_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def scan(address):
    turns = asyncio.Semaphore(AT_ONCE)

    async def is_open(port):
        async with turns:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE)
            # Nobody listens, a firewall says so, or it says nothing; whatever else is no answer.
            except (ConnectionError, asyncio.TimeoutError):
                return False
            except OSError as error:
                if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
                    return False
                raise
            writer.close()
            return True

    ports = range(1, 65536)
    answers = await asyncio.gather(*map(is_open, ports))
    return [port for port, answer in zip(ports, answers) if answer]


for port in asyncio.run(scan(sys.argv[1])):
    print(port)
