"""Options of a backend section that the LVM driver reads."""

from __future__ import annotations

from oslo_config import cfg

LVM_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "volume_group",
        default="cinder-volumes",
        help="Volume group that the volumes are logical volumes of.",
    ),
    cfg.IntOpt(
        "lvm_mirrors",
        default=0,
        min=0,
        help="Further copies of every thick volume, each on disks of its own; that many more "
        "disks have to have the room. Thin volumes have none.",
    ),
    cfg.StrOpt(
        "lvm_type",
        default="auto",
        choices=[
            ("default", "thick: every volume has all its blocks from the beginning"),
            ("thin", "blocks are taken from the thin pool <group>-pool when they are written"),
            ("auto", "thin if the group has that pool or is empty, else thick"),
        ],
        help="What new volumes are made of. Those that are there stay what they are.",
    ),
    cfg.StrOpt(
        "lvm_conf_file",
        default="/etc/cinder/lvm.conf",
        help="LVM's configuration file for this backend; if it exists, LVM reads the files of its "
        "directory (LVM_SYSTEM_DIR). Otherwise the system's own are read.",
    ),
    cfg.BoolOpt(
        "lvm_suppress_fd_warnings",
        default=False,
        help="No warnings of LVM's about open files that it inherited.",
    ),
    cfg.BoolOpt(
        "lvm_clear_new_volumes",
        default=True,
        help="Overwrite a new thick volume, and what one is extended by, with zeros, so that "
        "nobody reads what the disks held before; refuse a thin pool that does not zero its "
        "blocks. Set to false, users may see the data of volumes deleted earlier: only for disks "
        "whose former content may be read by all users.",
    ),
]
