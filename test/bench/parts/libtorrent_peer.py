"""What both ends of every comparison with libtorrent need. Importing it ends the program with 3 when libtorrent is missing."""
import os
import sys

try:
    import libtorrent as lt
except ImportError:
    sys.exit(3)

NAME = "libtorrent " + lt.version


def session(address, **more):
    """One that knows nobody but whom it is told, by TCP alone."""
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
            **more,
        }
    )


def make_torrent(path, torrent, piece_length):
    """Hashes one file and writes its metainfo."""
    storage = lt.file_storage()
    lt.add_files(storage, path)
    maker = lt.create_torrent(storage, piece_length, flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(maker, os.path.dirname(path))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(maker.generate()))


def add(target, torrent, folder, flag=None):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    if flag is not None:
        params.flags |= flag
    params.flags &= ~lt.torrent_flags.auto_managed
    params.flags &= ~lt.torrent_flags.paused
    return target.add_torrent(params)


def connect(handle, peer):
    """`peer` is ADDRESS:PORT."""
    address, port = peer.rsplit(":", 1)
    handle.connect_peer((address, int(port)))
