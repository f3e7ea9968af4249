# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the UDP datagrams out of a tcpdump file and says whose they are."""

import collections
import ipaddress
import struct

ETHERTYPE_IPV4 = 0x0800
PROTOCOL_UDP = 17
STUN_COOKIE = 0x2112A442  # RFC 8489 section 5
WIREGUARD_SIZES = {1: 148, 2: 92, 3: 64}  # initiation, response, cookie; 4 is data, 32 and more

Datagram = collections.namedtuple("Datagram", "source destination payload")


def datagrams(path):
    """Every IPv4 UDP datagram of a capture of Ethernet frames, fragments left out."""
    with open(path, "rb") as file:
        data = file.read()
    order = {0xa1b2c3d4: ">", 0xd4c3b2a1: "<"}[struct.unpack_from(">I", data)[0]]
    offset = 24
    while offset + 16 <= len(data):
        size = struct.unpack_from(order + "I", data, offset + 8)[0]
        found = _datagram(data[offset + 16:offset + 16 + size])
        if found:
            yield found
        offset += 16 + size


def _datagram(frame):
    if struct.unpack_from(">H", frame, 12)[0] != ETHERTYPE_IPV4 or frame[23] != PROTOCOL_UDP:
        return None
    if struct.unpack_from(">H", frame, 20)[0] & 0x3fff:
        return None
    udp = 14 + (frame[14] & 15) * 4
    ports = struct.unpack_from(">HHH", frame, udp)
    return Datagram((str(ipaddress.ip_address(frame[26:30])), ports[0]),
                    (str(ipaddress.ip_address(frame[30:34])), ports[1]),
                    frame[udp + 8:udp + ports[2]])


def kind(payload):
    """"stun", "wireguard", "probe" or "other"."""
    if payload[:4] == b"PGP1" and len(payload) == 21:
        return "probe"
    if len(payload) >= 20 and payload[0] < 4 and \
            struct.unpack_from(">I", payload, 4)[0] == STUN_COOKIE:
        return "stun"
    if len(payload) >= 4 and payload[1:4] == b"\0\0\0":
        if WIREGUARD_SIZES.get(payload[0]) == len(payload):
            return "wireguard"
        if payload[0] == 4 and len(payload) >= 32 and len(payload) % 16 == 0:
            return "wireguard"
    return "other"
