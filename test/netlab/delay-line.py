"""Holds every frame for a while between two interfaces, for kernels without netem.

delay-line.py SECONDS ONE OTHER   passes frames on, that much later
delay-line.py whole NAME          makes an interface send frames whole and with checksums, as a real one does
"""

import array
import collections
import fcntl
import select
import socket
import struct
import sys
import time

SIOCETHTOOL = 0x8946
OFFLOADS = (0x17, 0x1F, 0x24)  # ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4


def make_whole(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for offload in OFFLOADS:
            value = array.array("B", struct.pack("II", offload, 0))
            request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
            fcntl.ioctl(control, SIOCETHTOOL, request)


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    port.bind((name, 0))
    port.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    port.setblocking(False)
    return port


def take(port, queue, due):
    try:
        for _ in range(256):
            frame, address = port.recvfrom(65600)
            if address[2] != PACKET_OUTGOING:
                queue.append((due, frame))
    except OSError:
        pass  # Nothing more, or an unplugged cable.


def give(port, queue):
    while queue and queue[0][0] <= time.monotonic():
        try:
            port.send(queue.popleft()[1])
        except OSError:
            pass  # A full queue or an unplugged cable: the frame is lost, as on any line.


def pass_on(delay, one, other):
    ports = (open_port(one), open_port(other))
    queues = (collections.deque(), collections.deque())
    print("ready", flush=True)
    while True:
        heads = [queue[0][0] for queue in queues if queue]
        wait = max(0.0, min(heads) - time.monotonic()) if heads else None
        readable = select.select(ports, [], [], wait)[0]
        for port, queue in zip(ports, queues):
            if port in readable:
                take(port, queue, time.monotonic() + delay)
        give(ports[1], queues[0])
        give(ports[0], queues[1])


if sys.argv[1] == "whole":
    make_whole(sys.argv[2])
else:
    pass_on(float(sys.argv[1]), sys.argv[2], sys.argv[3])
