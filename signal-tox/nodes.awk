# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes nodes.json (one value a line) the lines NODE(address, UDP port, public key, TCP ports) that
# options.c includes: one for each address of each node.
function value() {
    sub(/^[^:]*: */, "")
    gsub(/[",]/, "")
    return $0
}
function node(address) {
    if (address != "null")
        printf "NODE(\"%s\", %s, \"%s\", %s)\n", address, udp, key, ports == "" ? "0" : ports
}
/"ipv4":/ { ipv4 = value() }
/"ipv6":/ { ipv6 = value() }
/"udp_port":/ { udp = value() }
/"tcp_ports":/ { ports = "" }
/^ *[0-9]+,?$/ { gsub(/[ ,]/, ""); ports = ports (ports == "" ? "" : ", ") $0 }
/"public_key":/ { key = value(); node(ipv4); node(ipv6) }
