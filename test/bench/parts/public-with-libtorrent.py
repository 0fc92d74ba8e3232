"""One end of a public torrent: public-with-libtorrent.py seed|leech TORRENT FOLDER ADDRESS:PORT [PEER].

Prints "ready", connects to PEER when a line comes in, and prints the milliseconds when everything is here.
With `make TORRENT FILE PIECE_LENGTH TRACKER` it makes the torrent; without arguments it ends with 0 when libtorrent is there.
"""
import os
import sys
import time

from libtorrent_peer import add, connect, lt, session

if len(sys.argv) < 2:
    sys.exit(0)

if sys.argv[1] == "make":
    torrent, path, piece_length, tracker = sys.argv[2:6]
    storage = lt.file_storage()
    lt.add_files(storage, path)
    maker = lt.create_torrent(storage, int(piece_length), flags=lt.create_torrent.v1_only)
    maker.add_tracker(tracker)
    lt.set_piece_hashes(maker, os.path.dirname(path))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(maker.generate()))
    sys.exit(0)

mode, torrent, folder, address = sys.argv[1:5]
host = session(address)
handle = add(host, torrent, folder, lt.torrent_flags.seed_mode if mode == "seed" else None)
print("ready", flush=True)
sys.stdin.readline()
start = time.monotonic()
if len(sys.argv) > 5:
    connect(handle, sys.argv[5])
while mode == "leech" and not handle.status().is_seeding:
    time.sleep(0.005)
if mode == "leech":
    handle.flush_cache()
    print((time.monotonic() - start) * 1000, flush=True)
while True:
    time.sleep(1)
