"""Options of a backend section: the generic ones, and those of targets and of the file driver.

A value is looked for in the backend's own section, then in ``[backend_defaults]``; only the
options named in ``FALLING_BACK_TO_DEFAULT`` are looked for in ``[DEFAULT]`` as well.
"""

from __future__ import annotations

from typing import Any

from oslo_config import cfg, types

from breezeblock.config.lvm import LVM_OPTIONS
from breezeblock.config.rbd import RBD_OPTIONS

FALLING_BACK_TO_DEFAULT = frozenset(
    {
        "backup_use_same_host",
        "backup_use_temp_snapshot",
        "filter_function",
        "goodness_function",
        "max_over_subscription_ratio",
        "num_shell_tries",
        "volume_copy_blkio_cgroup_name",
        "volume_copy_bps_limit",
    }
)

SERVICE_WIDE = {
    "my_ip": "DEFAULT",
    "state_path": "DEFAULT",
    "tgt_control_port": "breezeblock",
    "tgt_daemon_managed": "breezeblock",
    "tgt_io_threads": "breezeblock",
}
"""Options, and their sections, that belong to the service but are read with a backend's own."""


class OverSubscriptionRatio(types.ConfigType):
    """``auto``, or a decimal of at least 1.0; kept as text."""

    def __init__(self) -> None:
        super().__init__(type_name="auto or a decimal of at least 1.0")

    def __call__(self, value: Any) -> str:
        text = str(value).strip()
        if text == "auto":
            return text
        try:
            ratio = float(text)
        except ValueError:
            raise ValueError(f"must be 'auto' or a decimal, not '{text}'") from None
        if not 1.0 <= ratio < float("inf"):
            raise ValueError(f"must be at least 1.0, not '{text}'")
        return text

    def _formatter(self, value: Any) -> str:
        return str(value)


DRIVER_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "volume_driver",
        default="cinder.volume.drivers.lvm.LVMVolumeDriver",
        help="The driver: a short name (file, lvm, ...) or a class path operators know.",
    ),
    cfg.StrOpt(
        "volume_backend_name",
        help="Name that volume types select this backend by; unset means the section's name.",
    ),
    cfg.StrOpt("backend_host", help="Takes the place of `host` in this backend's service name."),
    cfg.StrOpt("backend_availability_zone", help="Zone of this backend alone."),
    cfg.StrOpt(
        "extra_capabilities",
        default="{}",
        help="JSON object merged into what the pools report to placement.",
    ),
    cfg.IntOpt(
        "backend_native_threads_pool_size",
        default=20,
        min=20,
        help="Threads for blocking calls into a backend's client library.",
    ),
    cfg.BoolOpt(
        "suppress_requests_ssl_warnings",
        default=False,
        help="No warnings about unverified TLS to a backend.",
    ),
    cfg.IntOpt(
        "num_shell_tries", default=3, min=1, help="Attempts of a command that may fail and pass."
    ),
    cfg.StrOpt("driver_client_cert_key", help="Private key for TLS to the backend, PEM file."),
    cfg.StrOpt("driver_client_cert", help="Client certificate for TLS to the backend, PEM file."),
    cfg.BoolOpt("driver_use_ssl", default=False, help="Talk TLS to the backend."),
    cfg.BoolOpt("driver_ssl_cert_verify", default=False, help="Verify the backend's certificate."),
    cfg.StrOpt("driver_ssl_cert_path", help="Authorities that certificate is verified against."),
    cfg.StrOpt("driver_data_namespace", help="Prefix of the driver's private data keys."),
    cfg.ListOpt("trace_flags", help="What of the driver is traced to the log: method, api."),
    cfg.MultiOpt(
        "replication_device",
        item_type=types.Dict(),
        secret=True,
        help="A replication target as key:value pairs, backend_id first; repeatable.",
    ),
    cfg.BoolOpt(
        "enable_unsupported_driver",
        default=False,
        help="Start a driver that its authors no longer support.",
    ),
    cfg.BoolOpt(
        "unique_fqdn_network",
        default=True,
        help="Host names of initiators are unique here, so a backend may name hosts by them.",
    ),
]

CAPACITY_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "reserved_percentage",
        default=0,
        min=0,
        max=100,
        help="Percent of the capacity that placement leaves free.",
    ),
    cfg.Opt(
        "max_over_subscription_ratio",
        type=OverSubscriptionRatio(),
        default="20.0",
        help="Provisioned capacity allowed for each GiB of real capacity on thin pools; "
        "`auto` derives it from what the volumes really use.",
    ),
    cfg.StrOpt("filter_function", help="Expression that must be true for a pool to be taken."),
    cfg.StrOpt("goodness_function", help="Expression, 0 to 100, that rates a pool."),
]

DATA_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "volume_clear",
        default="zero",
        choices=["none", "zero"],
        help="What happens to a volume's old data when it is deleted.",
    ),
    cfg.IntOpt(
        "volume_clear_size",
        default=0,
        min=0,
        max=1024,
        help="MiB at the start of a volume that volume_clear overwrites; 0 means all.",
    ),
    cfg.StrOpt("volume_clear_ionice", help="Argument of ionice for the overwriting, e.g. -c3."),
    cfg.StrOpt("volume_dd_blocksize", default="1M", help="Block size of copies between devices."),
    cfg.StrOpt(
        "volume_copy_blkio_cgroup_name",
        default="cinder-volume-copy",
        help="Control group that throttled copies run in.",
    ),
    cfg.IntOpt(
        "volume_copy_bps_limit",
        default=0,
        min=0,
        help="Bytes a second that a copy may move; 0 means no limit.",
    ),
    cfg.BoolOpt(
        "report_discard_supported",
        default=False,
        help="Tell consumers that discarded blocks are given back.",
    ),
    cfg.StrOpt(
        "disk_geometry",
        choices=["512", "512e", "4k"],
        help="Sector sizes told to consumers: logical/physical 512/512, 512/4096, 4096/4096.",
    ),
]

TARGET_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "target_helper",
        default="tgtadm",
        choices=[
            "tgtadm",
            "lioadm",
            "scstadmin",
            "iscsictl",
            "ietadm",
            "nvmet",
            "spdk-nvmeof",
            "fake",
        ],
        help="What exports volumes to the network.",
    ),
    cfg.StrOpt(
        "target_protocol",
        default="iscsi",
        choices=["iscsi", "iser", "nvmet_rdma", "nvmet_tcp"],
        help="Transport of exported volumes.",
    ),
    cfg.StrOpt(
        "target_prefix",
        default="iqn.2010-10.org.openstack:",
        help="Beginning of a target's name; the volume's name follows.",
    ),
    cfg.StrOpt("target_ip_address", default="$my_ip", help="Address of the target portal."),
    cfg.ListOpt(
        "target_secondary_ip_addresses",
        default=[],
        deprecated_name="iscsi_secondary_ip_addresses",
        help="Further portal addresses, told to consumers for multipath.",
    ),
    cfg.PortOpt("target_port", default=3260, help="TCP port of the target portal."),
    cfg.StrOpt(
        "storage_protocol",
        default="iSCSI",
        choices=["iSCSI", "FC"],
        ignore_case=True,
        help="Protocol of drivers that speak two.",
    ),
    cfg.IntOpt(
        "num_volume_device_scan_tries",
        default=3,
        min=1,
        help="Looks for the device of a volume attached to this host.",
    ),
    cfg.BoolOpt(
        "use_chap_auth",
        default=False,
        help="Demand CHAP of initiators. tgt targets of this service always do.",
    ),
    cfg.StrOpt("chap_username", default="", help="CHAP user; empty means a random one each."),
    cfg.StrOpt(
        "chap_password",
        default="",
        secret=True,
        help="CHAP secret; empty means a random one for each volume.",
    ),
    cfg.StrOpt(
        "volumes_dir",
        default="$state_path/volumes",
        help="Directory in which tgt targets are recorded, to be restored after a restart.",
    ),
    cfg.StrOpt(
        "iscsi_write_cache",
        default="on",
        choices=["on", "off"],
        help="Write-back cache of tgt's logical units.",
    ),
    cfg.StrOpt("iscsi_target_flags", default="", help="Open flags of tgt's backing stores."),
    cfg.StrOpt(
        "chiscsi_conf",
        default="/etc/chelsio-iscsi/chiscsi.conf",
        help="Configuration file of the Chelsio target.",
    ),
    cfg.StrOpt("iet_conf", default="/etc/iet/ietd.conf", help="Configuration file of IET."),
    cfg.StrOpt(
        "iscsi_iotype",
        default="fileio",
        choices=["blockio", "fileio", "auto"],
        help="How IET reads and writes its devices.",
    ),
]

RDMA_AND_NVME_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt("num_iser_scan_tries", default=3, min=1, help="Looks for an iSER device."),
    cfg.StrOpt(
        "iser_target_prefix",
        default="iqn.2010-10.org.openstack:",
        help="Beginning of an iSER target's name.",
    ),
    cfg.StrOpt("iser_ip_address", default="$my_ip", help="Address of the iSER portal."),
    cfg.PortOpt("iser_port", default=3260, help="Port of the iSER portal."),
    cfg.StrOpt("iser_helper", default="tgtadm", help="What exports volumes over iSER."),
    cfg.ListOpt(
        "fc_target_wwpns",
        default=[],
        help="World wide port names of this host's fibre channel ports that offer volumes, 16 "
        "hexadecimal digits each; empty means all that can be targets.",
    ),
    cfg.ListOpt(
        "fc_initiator_wwpns",
        default=[],
        help="World wide port names of initiators that may log in to those ports before their "
        "first volume is attached; they see nothing until then. One that is not listed and has "
        "reached the ports earlier finds volumes only after a loss of its link that is longer "
        "than its dev_loss_tmo.",
    ),
    cfg.PortOpt("nvmet_port_id", default=1, help="Number of the port object in the kernel."),
    cfg.IntOpt("nvmet_ns_id", default=10, min=1, help="Namespace id in each subsystem."),
    cfg.IntOpt(
        "nvmeof_conn_info_version",
        default=1,
        min=1,
        max=2,
        help="Shape of the connection information of NVMe over fabrics.",
    ),
    cfg.BoolOpt(
        "lvm_share_target", default=False, help="One NVMe subsystem for all volumes of a host."
    ),
    cfg.StrOpt("scst_target_iqn_name", help="SCST target to use instead of one per volume."),
    cfg.StrOpt("scst_target_driver", default="iscsi", help="SCST target driver."),
    cfg.StrOpt("spdk_rpc_ip", help="Address of SPDK's control interface."),
    cfg.PortOpt("spdk_rpc_port", default=8000, help="Port of SPDK's control interface."),
    cfg.StrOpt("spdk_rpc_username", help="User of SPDK's control interface."),
    cfg.StrOpt("spdk_rpc_password", secret=True, help="Secret of that user."),
    cfg.StrOpt(
        "spdk_rpc_protocol",
        default="http",
        choices=["http", "https"],
        help="Protocol of SPDK's control interface.",
    ),
    cfg.IntOpt(
        "spdk_max_queue_depth", default=64, min=1, max=128, help="Queue depth of SPDK targets."
    ),
]

TRANSFER_OPTIONS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "backup_use_temp_snapshot",
        default=False,
        help="Back up an attached volume through a temporary snapshot, not a clone.",
    ),
    cfg.BoolOpt(
        "backup_use_same_host",
        default=False,
        help="Prefer the backup service on the volume's own host.",
    ),
    cfg.BoolOpt(
        "image_upload_use_cinder_backend",
        default=False,
        help="Register a clone as an image's location rather than copy the data.",
    ),
    cfg.BoolOpt(
        "image_upload_use_internal_tenant",
        default=False,
        help="Put that clone into the service's own project.",
    ),
    cfg.BoolOpt(
        "image_volume_cache_enabled", default=False, help="Keep a volume of each image used."
    ),
    cfg.IntOpt(
        "image_volume_cache_max_size_gb",
        default=0,
        min=0,
        help="GiB of that cache; 0 means no limit.",
    ),
    cfg.IntOpt(
        "image_volume_cache_max_count",
        default=0,
        min=0,
        help="Volumes in that cache; 0 means no limit.",
    ),
    cfg.BoolOpt(
        "use_multipath_for_image_xfer",
        default=False,
        help="Attach over several paths when this host copies data.",
    ),
    cfg.BoolOpt(
        "enforce_multipath_for_image_xfer",
        default=False,
        help="Fail rather than copy over a single path.",
    ),
]

FILE_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "file_volumes_directory",
        help="Directory of the file driver's volumes; unset means one with the section's name "
        "under state_path.",
    ),
    cfg.IntOpt(
        "file_snapshot_pause_limit",
        default=10,
        min=0,
        help="Seconds the consumers of an attached volume may be held back for a snapshot where "
        "the file system cannot clone files; an iSCSI initiator repeats what it "
        "asked for until its replacement_timeout, 120 by default.",
    ),
]

FAKE_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "fake_capacity_gb", default=1000, min=0, help="GiB that the fake driver pretends to have."
    ),
    cfg.FloatOpt("fake_delay", default=0.0, min=0.0, help="Seconds that each change on it takes."),
    cfg.ListOpt(
        "fake_failures",
        default=[],
        help="Methods of the fake driver that fail; `method:n` fails the first n calls only.",
    ),
]

BACKEND_OPTIONS: list[cfg.Opt] = [
    *DRIVER_OPTIONS,
    *CAPACITY_OPTIONS,
    *DATA_OPTIONS,
    *TARGET_OPTIONS,
    *RDMA_AND_NVME_OPTIONS,
    *TRANSFER_OPTIONS,
    *LVM_OPTIONS,
    *RBD_OPTIONS,
    *FILE_OPTIONS,
    *FAKE_OPTIONS,
]
"""All options of a backend section."""


def groups() -> dict[str, list[cfg.Opt]]:
    """Where backend options are known apart from the backends' own sections."""
    shared = [option for option in BACKEND_OPTIONS if option.name in FALLING_BACK_TO_DEFAULT]
    return {"DEFAULT": shared, "backend_defaults": BACKEND_OPTIONS}
