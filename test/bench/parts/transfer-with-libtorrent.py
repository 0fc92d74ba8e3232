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

try:
    import libtorrent as lt
except ImportError:
    sys.exit(3)

if len(sys.argv) < 2:
    sys.exit(0)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def session(address):
    return lt.session(
        {
            "listen_interfaces": address,
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
            "allow_multiple_connections_per_ip": True,
            "alert_mask": 0,
        }
    )


def add(target, torrent, folder, seeding):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    if seeding:
        params.flags |= lt.torrent_flags.seed_mode
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    return target.add_torrent(params)


if sys.argv[1] == "seed":
    path, torrent, ip, port, piece_length = sys.argv[2:7]
    storage = lt.file_storage()
    lt.add_files(storage, path)
    maker = lt.create_torrent(storage, int(piece_length), flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(maker, os.path.dirname(path))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(maker.generate()))
    host = session(f"{ip}:{port}")
    add(host, torrent, os.path.dirname(path), True)
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
handle = add(host, torrent, folder, False)
address, port = peer.rsplit(":", 1)
handle.connect_peer((address, int(port)))
while not handle.status().is_seeding:
    time.sleep(0.01)
handle.flush_cache()
result = {"wall": time.monotonic() - start, "cpu": cpu() - before, "name": "libtorrent " + lt.version}
print(json.dumps(result), flush=True)
os._exit(0)
