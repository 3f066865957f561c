"""Options of a backend section that the RBD driver reads."""

from __future__ import annotations

from oslo_config import cfg

RBD_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt("rbd_cluster_name", default="ceph", help="Name of the Ceph cluster."),
    cfg.StrOpt("rbd_pool", default="rbd", help="Ceph pool that the volumes are images of."),
    cfg.StrOpt(
        "rbd_user",
        help="Ceph user, without `client.`, that the service and the volumes' consumers log in "
        "as; unset means the default of the Ceph configuration (admin).",
    ),
    cfg.StrOpt(
        "rbd_ceph_conf",
        default="",
        help="Ceph configuration file; empty means where Ceph looks by itself "
        "(/etc/ceph/<cluster>.conf).",
    ),
    cfg.StrOpt(
        "rbd_keyring_conf",
        help="Keyring file whose contents every consumer of a volume is told. Whoever may see "
        "connection information can then read all volumes: leave it unset and give the "
        "consumers' hosts a keyring of their own.",
    ),
    cfg.BoolOpt(
        "rbd_flatten_volume_from_snapshot",
        default=False,
        help="Copy the bytes into a volume that is made from a snapshot, so that it does not "
        "depend on the snapshot.",
    ),
    cfg.StrOpt(
        "rbd_secret_uuid",
        help="UUID of the libvirt secret that holds the user's key; unset means the cluster's "
        "fsid.",
    ),
    cfg.IntOpt(
        "rbd_max_clone_depth",
        default=5,
        help="How many clones of clones may hang on each other: the clone that reaches it gets "
        "its bytes copied. 0: every clone is a full copy.",
    ),
    cfg.IntOpt(
        "rbd_store_chunk_size",
        default=4,
        min=1,
        max=32,
        help="MiB of each object that an image is made of; rounded down to a power of two.",
    ),
    cfg.IntOpt(
        "rados_connect_timeout",
        default=-1,
        help="Seconds that the cluster may take to answer a call, connecting included; 0 or "
        "less means 60.",
    ),
    cfg.IntOpt(
        "rados_connection_retries",
        default=3,
        min=1,
        help="Attempts to connect to the cluster before a call fails.",
    ),
    cfg.IntOpt(
        "rados_connection_interval", default=5, min=0, help="Seconds between those attempts."
    ),
    cfg.IntOpt(
        "replication_connect_timeout",
        default=5,
        help="Seconds that a cluster may take to answer during a failover.",
    ),
    cfg.BoolOpt(
        "report_dynamic_total_capacity",
        default=True,
        help="Report as total what is used and free in the pool now; false: the pool's quota, or "
        "the cluster's size where there is none.",
    ),
    cfg.BoolOpt(
        "rbd_exclusive_cinder_pool",
        default=True,
        help="The pool holds nothing but this service's volumes, so that placement counts them "
        "by its own records; false: the images' sizes are summed up.",
    ),
    cfg.BoolOpt(
        "enable_deferred_deletion",
        default=False,
        help="Move deleted volumes to Ceph's trash and remove them later.",
    ),
    cfg.IntOpt(
        "deferred_deletion_delay",
        default=0,
        min=0,
        help="Seconds that a deleted volume stays in the trash at least.",
    ),
    cfg.IntOpt(
        "deferred_deletion_purge_interval",
        default=60,
        min=1,
        help="Seconds between two looks for volumes in the trash that may be removed.",
    ),
    cfg.IntOpt(
        "rbd_concurrent_flatten_operations",
        default=3,
        min=0,
        help="Images whose bytes are copied out of their parents at once; 0 means no limit.",
    ),
    cfg.StrOpt(
        "volume_tmp_dir",
        help="Directory of temporary files while an image is copied; unset means the system's.",
    ),
]
