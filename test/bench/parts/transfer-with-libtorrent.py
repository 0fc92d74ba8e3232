"""One end of a libtorrent transfer.

transfer-with-libtorrent.py seed FILE TORRENT IP PORT PIECE_LENGTH: makes TORRENT, prints "ready", on SIGTERM prints CPU seconds.
transfer-with-libtorrent.py leech FOLDER TORRENT IP PEER: prints {"wall", "cpu", "name"} when complete.
Without arguments: exit code 0 when libtorrent is there, 3 when not.
"""
import json
import os
import resource
import signal
import sys
import time

from libtorrent_peer import NAME, add, connect, lt, make_torrent, session

if len(sys.argv) < 2:
    sys.exit(0)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if sys.argv[1] == "seed":
    path, torrent, ip, port, piece_length = sys.argv[2:7]
    make_torrent(path, torrent, int(piece_length))
    host = session(f"{ip}:{port}")
    add(host, torrent, os.path.dirname(path), lt.torrent_flags.seed_mode)
    before = cpu()

    def stop(*_):
        print(json.dumps({"cpu": cpu() - before}), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while True:
        time.sleep(1)

folder, torrent, ip, peer = sys.argv[2:6]
host = session(f"{ip}:0")
before, start = cpu(), time.monotonic()
handle = add(host, torrent, folder)
connect(handle, peer)
while not handle.status().is_seeding:
    time.sleep(0.01)
handle.flush_cache()
result = {"wall": time.monotonic() - start, "cpu": cpu() - before, "name": NAME}
print(json.dumps(result), flush=True)
os._exit(0)
