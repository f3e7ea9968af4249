# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host of the lab sees of the network: STUN's answer, datagrams, pings."""

import ipaddress
import os
import select
import socket
import struct
import time

STUN_BINDING_REQUEST = 0x0001
STUN_COOKIE = 0x2112A442        # RFC 8489 section 5
STUN_XOR_MAPPED_ADDRESS = 0x0020  # RFC 8489 section 14.2
ICMP_ECHO = {4: (8, 0), 6: (128, 129)}  # request, reply: RFC 792, RFC 4443


def mapped_endpoint(sock, server, timeout=3):
    """Asks the STUN server (address, port) how it sees `sock`; returns (address, port)."""
    transaction = os.urandom(12)
    request = struct.pack(">HHI", STUN_BINDING_REQUEST, 0, STUN_COOKIE) + transaction
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        sock.sendto(request, server)
        answer = receive(sock, 0.25)
        if answer and answer[0][4:20] == request[4:20]:
            return _xor_mapped_address(answer[0])
    raise TimeoutError(f"no answer from the STUN server {server[0]}:{server[1]}")


def _xor_mapped_address(message):
    offset = 20
    while offset + 4 <= len(message):
        kind, length = struct.unpack_from(">HH", message, offset)
        if kind == STUN_XOR_MAPPED_ADDRESS:
            _, family, port = struct.unpack_from(">BBH", message, offset + 4)
            size = 4 if family == 1 else 16
            address = bytes(a ^ b for a, b in zip(message[offset + 8:offset + 8 + size],
                                                  message[4:20]))
            return str(ipaddress.ip_address(address)), port ^ (STUN_COOKIE >> 16)
        offset += 4 + (length + 3) // 4 * 4
    raise ValueError("the STUN answer holds no XOR-MAPPED-ADDRESS")


def receive(sock, timeout):
    """The next datagram as (data, (address, port)), or None."""
    readable, _, _ = select.select([sock], [], [], timeout)
    if not readable:
        return None
    data, sender = sock.recvfrom(65536)
    return data, sender[:2]


class Pinger:
    """Echo requests from a node to one address, at a fixed rate, counted."""

    def __init__(self, node, address, interval=0.02):
        self.family = ipaddress.ip_address(address).version
        self.address = address
        self.interval = interval
        self.sent = {}      # sequence number: time of sending
        self.replies = {}   # sequence number: time of the reply, CLOCK_MONOTONIC
        self._identifier = int.from_bytes(os.urandom(2), "big")
        if self.family == 4:
            self._socket = node.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        else:
            self._socket = node.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        self._next = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def run(self, seconds, stop=None):
        """Pings for `seconds`, or until `stop(self)` is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not (stop and stop(self)):
            now = time.monotonic()
            if now >= self._next:
                self._send(now)
                self._next = max(self._next + self.interval, now)
            self._read(min(self._next, deadline) - time.monotonic())
        return self

    def first_reply(self, timeout):
        """Time of the first reply; asks until there is one."""
        self.run(timeout, lambda pinger: pinger.replies)
        if not self.replies:
            raise TimeoutError(f"no ping reply from {self.address} within {timeout} s")
        return min(self.replies.values())

    def lost(self, grace=1):
        """How many went unanswered, the last ones given `grace` seconds."""
        deadline = time.monotonic() + grace
        while len(self.replies) < len(self.sent) and time.monotonic() < deadline:
            self._read(deadline - time.monotonic())
        return len(self.sent) - len(self.replies)

    def _send(self, now):
        sequence = len(self.sent) & 0xffff
        header = struct.pack(">BBHHH", ICMP_ECHO[self.family][0], 0, 0, self._identifier, sequence)
        packet = header + b"punchguard"
        if self.family == 4:
            packet = packet[:2] + struct.pack(">H", _checksum(packet)) + packet[4:]
        self.sent[sequence] = now
        try:
            self._socket.sendto(packet, (self.address, 0))
        except OSError:
            pass  # no route or no WireGuard endpoint yet: counts as lost

    def _read(self, timeout):
        readable, _, _ = select.select([self._socket], [], [], max(timeout, 0))
        if not readable:
            return
        data, sender = self._socket.recvfrom(2048)
        now = time.monotonic()
        if self.family == 4:
            data = data[(data[0] & 15) * 4:]
        kind, _, _, identifier, sequence = struct.unpack_from(">BBHHH", data)
        if kind == ICMP_ECHO[self.family][1] and identifier == self._identifier:
            self.replies.setdefault(sequence, now)


def _checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
