"""Watching a film with libtorrent while it arrives.

stream-with-libtorrent.py seed FILE TORRENT IP PORT PIECE_LENGTH LIMIT: makes TORRENT, prints "ready", sends LIMIT bytes a second.
stream-with-libtorrent.py watch FOLDER TORRENT IP PEER PAUSE_SECONDS OFFSET…: prints {"ms", "name"}: for each offset the
milliseconds until the MiB from there is whole, on a connected peer, with PAUSE_SECONDS of going on between them.
Without arguments: exit code 0 when libtorrent is there, 3 when not.
"""
import json
import os
import sys
import time

from libtorrent_peer import NAME, add, connect, lt, make_torrent, session

if len(sys.argv) < 2:
    sys.exit(0)

MIB = 1 << 20
# The player of ours looks ahead as far.
AHEAD = 32 * MIB
# A connection on which nothing is wanted yet stays.
STAYS = {"close_redundant_connections": False}

if sys.argv[1] == "seed":
    path, torrent, ip, port, piece_length, limit = sys.argv[2:8]
    make_torrent(path, torrent, int(piece_length))
    host = session(f"{ip}:{port}", upload_rate_limit=int(limit), **STAYS)
    # Peers of the own network would not be limited: all belong to the one class that is.
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
    host.set_peer_class_filter(everybody)
    add(host, torrent, os.path.dirname(path), lt.torrent_flags.seed_mode)
    print("ready", flush=True)
    while True:
        time.sleep(1)

folder, torrent, ip, peer, pause = sys.argv[2:7]
offsets = [int(offset) for offset in sys.argv[7:]]
host = session(f"{ip}:0", **STAYS)
handle = add(host, torrent, folder, lt.torrent_flags.sequential_download)
info = handle.torrent_file()
length, count = info.piece_length(), info.num_pieces()
handle.prioritize_pieces([0] * count)
connect(handle, peer)
while not any(peer.flags & lt.peer_info.handshake == 0 and peer.pieces for peer in handle.get_peer_info()):
    time.sleep(0.01)
time.sleep(1)


def watch(offset):
    before = time.monotonic()
    first, last = offset // length, (offset + MIB - 1) // length
    handle.clear_piece_deadlines()
    handle.prioritize_pieces([4] * count)
    for piece in range(first, min((offset + AHEAD) // length + 1, count)):
        handle.set_piece_deadline(piece, (piece - first) * 100)
    while not all(handle.have_piece(piece) for piece in range(first, last + 1)):
        time.sleep(0.002)
    return (time.monotonic() - before) * 1000


result = []
for offset in offsets:
    result.append(watch(offset))
    time.sleep(float(pause))
print(json.dumps({"ms": result, "name": NAME}), flush=True)
os._exit(0)
