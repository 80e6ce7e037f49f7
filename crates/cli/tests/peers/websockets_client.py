"""A client of the fuzzing server on the Python package websockets, with its default limit on
fragments: python websockets_client.py URL AGENT."""

import asyncio
import logging
import sys
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

# A protocol error by the server is what the cases are about.
logging.disable(logging.CRITICAL)

URL, AGENT = sys.argv[1], quote(sys.argv[2], safe="")


def visit(target):
    return connect(URL + target, max_size=None, ping_interval=None, proxy=None)


async def main():
    async with visit("/getCaseCount") as connection:
        count = int(await connection.recv())
    for n in range(1, count + 1):
        try:
            async with visit(f"/runCase?case={n}&agent={AGENT}") as connection:
                async for message in connection:
                    await connection.send(message)
        except (WebSocketException, OSError):
            pass
    # It asks and does not wait for the answer, but for the end.
    async with visit(f"/updateReports?agent={AGENT}") as connection:
        await connection.wait_closed()


asyncio.run(main())
