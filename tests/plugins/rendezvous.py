#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signalling over a TCP server of one's own, which joins the two that name the same rendezvous.

On a machine that both reach: rendezvous.py --serve [ADDRESS] PORT
On the devices: "command": ["rendezvous.py", "HOST", "PORT"]
"""
import asyncio
import collections
import socket
import sys

from helper import run
from stream import Peer, peers


def dial():
    link = socket.create_connection(sys.argv[1:3], 5)
    link.settimeout(None)
    return link.makefile("rb"), link.makefile("wb"), lambda: link.shutdown(socket.SHUT_RDWR)


async def serve(reader, writer, rooms=collections.defaultdict(set)):
    name = await reader.readline()
    room = rooms[name]
    room.add(writer)
    for one in room if len(room) == 2 else ():
        one.write(b"known\n")
    try:
        while len(room) <= 2 and (line := await reader.readline()):
            for other in room - {writer}:
                other.write(line)
                await other.drain()
    finally:
        while room:     # a third one, or an end: they dial again
            room.pop().close()
        rooms.pop(name, None)


async def main(port, address=None):
    server = await asyncio.start_server(serve, address, int(port), limit=1 << 17)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if sys.argv[1] == "--serve":
    asyncio.run(main(*sys.argv[:1:-1]))
run("rendezvous", peers, lambda peer, rendezvous: Peer(peer, rendezvous, dial))
