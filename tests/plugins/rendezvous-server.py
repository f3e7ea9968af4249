#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server of rendezvous.py, on a machine that both devices reach: rendezvous-server.py [ADDRESS] PORT"""
import asyncio
import collections
import sys

rooms = collections.defaultdict(set)


def tell(others, line):
    for other in others:
        other.write(line)
        if other.transport.get_write_buffer_size() > 1 << 20:
            other.transport.abort()     # it does not read


async def serve(reader, writer):
    """Passes what one says on to those who named the same rendezvous in their first line."""
    room = rooms[await reader.readline()]
    room.add(writer)
    tell(room if len(room) > 1 else (), b'["hello"]\n')
    try:
        while line := await reader.readline():
            tell(room - {writer}, line)
    finally:
        room.discard(writer)
        tell(room, b'["bye"]\n')
        writer.close()


async def main():
    server = await asyncio.start_server(serve, sys.argv[1] if sys.argv[2:] else None, int(sys.argv[-1]), limit=1 << 17)
    print(*{socket.getsockname()[1] for socket in server.sockets}, flush=True)
    await server.serve_forever()

asyncio.run(main())
