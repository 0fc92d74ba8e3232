"""Hashes one file with libtorrent: hash-with-libtorrent.py FILE PIECE_LENGTH prints {"wall", "cpu", "name", "digest"}: seconds, SHA-256 of the piece digests."""
import hashlib
import json
import os
import resource
import sys
import time

try:
    import libtorrent as lt
except ImportError:
    sys.exit(3)

if len(sys.argv) < 3:
    sys.exit(0)
path, piece_length = sys.argv[1], int(sys.argv[2])


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


storage = lt.file_storage()
lt.add_files(storage, path)
torrent = lt.create_torrent(storage, piece_length, flags=lt.create_torrent.v1_only)
cpu_before, before = cpu(), time.monotonic()
lt.set_piece_hashes(torrent, os.path.dirname(path))
wall, used = time.monotonic() - before, cpu() - cpu_before
digest = hashlib.sha256(torrent.generate()[b"info"][b"pieces"]).hexdigest()
print(json.dumps({"wall": wall, "cpu": used, "name": "libtorrent " + lt.version, "digest": digest}))
