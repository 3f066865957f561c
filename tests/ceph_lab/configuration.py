"""The texts that a cluster is made of: ``ceph.conf`` and the keyrings."""

from __future__ import annotations

import base64
import os
import struct
import time
from collections.abc import Mapping, Sequence

from tests.ceph_lab.layout import Layout

#: ``client.cinder`` may use these; ``volumes2`` is where volumes migrate to.
POOLS = ("volumes", "volumes2", "images", "backups")
#: How many ports a cluster takes: two for the monitor, the others for whoever comes.
PORTS = 40
#: Bytes of the store, a sparse file.
STORE_BYTES = 32 * 1024**3
#: Modules of the manager that Ceph starts by itself and nobody needs here.
_UNWANTED_MODULES = (
    "alerts,diskprediction_local,influx,insights,iostat,localpool,mirroring,nfs,osd_support,"
    "prometheus,restful,selftest,snap_schedule,stats,telegraf,test_orchestrator,zabbix"
)

Sections = Mapping[str, Mapping[str, object]]


def monitor_addresses(port: int) -> str:
    """Both addresses of the monitor, as ``mon_host`` and ``monmaptool`` want them."""
    return f"[v2:127.0.0.1:{port},v1:127.0.0.1:{port + 1}]"


def configuration(layout: Layout, fsid: str, port: int) -> str:
    """The text of ``ceph.conf``; ``port`` is the first of ``PORTS`` free ones."""
    sections: Sections = {
        "global": {
            "fsid": fsid,
            "mon_host": monitor_addresses(port),
            "public_addr": "127.0.0.1",
            "cluster_addr": "127.0.0.1",
            "ms_bind_ipv6": False,
            "ms_bind_port_min": port + 2,
            "ms_bind_port_max": port + PORTS - 1,
            "auth_cluster_required": "cephx",
            "auth_service_required": "cephx",
            "auth_client_required": "cephx",
            "auth_allow_insecure_global_id_reclaim": False,
            "run_dir": layout.run,
            "crash_dir": layout.logs,
            "log_file": layout.logs / "$name.log",
            "admin_socket": layout.run / "$name.asok",
            # The lab keeps the pids itself.
            "pid_file": "",
            # One disk holds one copy.
            "osd_pool_default_size": 1,
            "osd_pool_default_min_size": 1,
            "osd_pool_default_pg_autoscale_mode": "off",
            "osd_crush_chooseleaf_type": 0,
            "mon_allow_pool_size_one": True,
            "mon_allow_pool_delete": True,
        },
        "mon": {
            "mon_data": layout.data("mon.a"),
            "mon_cluster_log_file": layout.logs / "cluster.log",
            # A snapshot gets its number from the monitor and waits this long; usually 1 s.
            "paxos_propose_interval": 0.02,
            "paxos_min_wait": 0.01,
            # What the manager says of placement groups is then a second old at most.
            "mon_mgr_digest_period": 1,
            # A machine under load shall not lose its only manager.
            "mon_mgr_beacon_grace": 300,
            "mon_max_pg_per_osd": 1000,
            "mon_warn_on_pool_no_redundancy": False,
            # The disk is the developer's, and may be nearly full.
            "mon_data_avail_warn": 2,
            "mon_data_avail_crit": 1,
        },
        "mgr": {
            "mgr_data": layout.data("mgr.x"),
            "mgr_stats_period": 1,
            "mgr_tick_period": 1,
            "mgr_initial_modules": "",
            "mgr_disabled_modules": _UNWANTED_MODULES,
        },
        "osd": {
            "osd_data": layout.data("osd.0"),
            "osd_objectstore": "bluestore",
            "osd_memory_target": 1024**3,
            "bluestore_block_create": True,
            "bluestore_block_size": STORE_BYTES,
            "bluestore_fsck_on_mkfs": False,
            # Opening and closing the store wait for this, usually 250 ms.
            "bdev_aio_poll_ms": 5,
            # The space of what was deleted comes back at once.
            "osd_snap_trim_sleep_hdd": 0,
            "osd_delete_sleep_hdd": 0,
        },
        "client": {
            "keyring": layout.directory / "ceph.$name.keyring",
            "log_file": "",
            "admin_socket": "",
        },
    }
    return _text(sections)


def keyrings(pools: Sequence[str]) -> dict[str, str]:
    """The keyring of each entity, such as ``client.cinder``, with what it may do."""
    rights: Sections = {
        "mon.": {"mon": "allow *"},
        "mgr.x": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
        "osd.0": {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"},
        "client.admin": dict.fromkeys(("mon", "mgr", "osd", "mds"), "allow *"),
        "client.cinder": {
            "mon": "profile rbd",
            "mgr": "profile rbd",
            "osd": ", ".join(f"profile rbd pool={pool}" for pool in pools),
        },
    }
    return {
        entity: _text(
            {entity: {"key": new_key(), **{f"caps {who}": f'"{may}"' for who, may in caps.items()}}}
        )
        for entity, caps in rights.items()
    }


def new_key() -> str:
    """A fresh secret of cephx: type, time of making and length, then the 16 bytes of an AES key."""
    header = struct.pack("<HIIH", 1, int(time.time()), 0, 16)
    return base64.b64encode(header + os.urandom(16)).decode()


def _text(sections: Sections) -> str:
    lines = []
    for name, options in sections.items():
        lines += [f"[{name}]", *(f"{option} = {value}" for option, value in options.items()), ""]
    return "\n".join(lines)
