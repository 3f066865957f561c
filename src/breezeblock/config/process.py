"""Options of the process and of its HTTP interface: ``[DEFAULT]`` and the middleware sections."""

from __future__ import annotations

import socket

from oslo_config import cfg


def first_address() -> str:
    """The address this machine uses to reach others; loopback when it has no route.

    Connecting a datagram socket sends nothing: it only makes the kernel choose a source.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


IDENTITY_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "host",
        default=socket.gethostname(),
        sample_default="the machine's host name",
        help="Name of this host in service names (host@backend). Changing it orphans the "
        "volumes created under the old name.",
    ),
    cfg.HostAddressOpt(
        "my_ip",
        default=first_address(),
        sample_default="the first address of this machine",
        help="Address of this host; targets listen on it unless target_ip_address is set.",
    ),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/breezeblock",
        help="Directory under which everything lives that has no place of its own.",
    ),
    cfg.StrOpt(
        "storage_availability_zone",
        default="nova",
        help="Availability zone of this node's services.",
    ),
    cfg.StrOpt(
        "ssh_hosts_key_file",
        default="$state_path/ssh_known_hosts",
        help="File of the known host keys of backends that are managed over SSH.",
    ),
    cfg.BoolOpt(
        "strict_ssh_host_key_policy",
        default=False,
        help="Refuse a backend whose SSH host key is not yet known.",
    ),
]

API_OPTIONS: list[cfg.Opt] = [
    cfg.HostAddressOpt(
        "osapi_volume_listen",
        default="127.0.0.1",
        help="Address the API listens on. Loopback unless the operator opens it.",
    ),
    cfg.PortOpt("osapi_volume_listen_port", default=8776, help="TCP port of the API."),
    cfg.IntOpt(
        "osapi_volume_workers",
        min=1,
        help="API processes of `breezeblock api`; unset means one for each CPU.",
    ),
    cfg.BoolOpt(
        "osapi_volume_use_ssl",
        default=False,
        help="Serve TLS, with the certificate and key of section [ssl].",
    ),
    cfg.IntOpt(
        "osapi_max_limit",
        default=1000,
        min=1,
        help="Largest number of items on one page of a list.",
    ),
    cfg.StrOpt(
        "resource_query_filters_file",
        default="/etc/breezeblock/resource_filters.json",
        help="JSON file of the list filters allowed to non-administrators, by resource. "
        "A file that does not exist means the built-in ones.",
    ),
    cfg.StrOpt(
        "public_endpoint",
        help="Base of the links in answers; unset means what the request was sent to.",
    ),
    cfg.StrOpt(
        "project_id_regex",
        default=r"[0-9a-f\-]+",
        help="Pattern that the project segment of a URL must match as a whole.",
    ),
    cfg.BoolOpt(
        "use_forwarded_for",
        default=False,
        help="Take the client's address from X-Forwarded-For. Only behind a proxy that sets it.",
    ),
    cfg.BoolOpt("tcp_keepalive", default=True, help="Keepalive probes on API connections."),
    cfg.IntOpt("tcp_keepalive_interval", min=1, help="Seconds between keepalive probes."),
    cfg.IntOpt(
        "tcp_keepalive_count", min=1, help="Unanswered keepalive probes that end a connection."
    ),
]

RULE_OPTIONS: list[cfg.Opt] = [
    cfg.BoolOpt(
        "enable_force_upload",
        default=False,
        help="Honour `force` when an attached volume is uploaded to an image.",
    ),
    cfg.IntOpt(
        "az_cache_duration",
        default=3600,
        min=0,
        help="Seconds the list of availability zones may be cached.",
    ),
    cfg.StrOpt(
        "default_availability_zone",
        help="Zone of volumes that ask for none; unset means storage_availability_zone.",
    ),
    cfg.BoolOpt(
        "allow_availability_zone_fallback",
        default=False,
        help="Place a volume in the default zone when the zone asked for does not exist.",
    ),
    cfg.StrOpt(
        "default_volume_type",
        default="__DEFAULT__",
        help="Volume type of volumes that ask for none.",
    ),
    cfg.StrOpt("default_group_type", help="Group type that the id `default` stands for."),
    cfg.BoolOpt(
        "snapshot_same_host",
        default=True,
        help="Create a volume from a snapshot on the backend that holds the snapshot.",
    ),
    cfg.BoolOpt(
        "cloned_volume_same_az",
        default=True,
        help="Keep clones and volumes from snapshots in the zone of their source.",
    ),
    cfg.StrOpt(
        "volume_name_template",
        default="volume-%s",
        help="Name of a volume on its backend; %s is the volume's id.",
    ),
    cfg.StrOpt(
        "snapshot_name_template",
        default="snapshot-%s",
        help="Name of a snapshot on its backend; %s is the snapshot's id.",
    ),
    cfg.StrOpt(
        "backup_name_template",
        default="backup-%s",
        help="Name of a backup in its repository; %s is the backup's id.",
    ),
    cfg.IntOpt(
        "volume_transfer_salt_length",
        default=8,
        min=8,
        max=255,
        help="Characters of salt in the digest of a transfer's key.",
    ),
    cfg.IntOpt(
        "volume_transfer_key_length",
        default=16,
        min=16,
        max=255,
        help="Characters of the key that accepts a transfer.",
    ),
    cfg.IntOpt("message_ttl", default=2592000, min=0, help="Seconds a user message is kept."),
    cfg.IntOpt(
        "message_reap_interval",
        default=86400,
        min=1,
        help="Seconds between removals of expired user messages.",
    ),
    cfg.StrOpt(
        "cinder_internal_tenant_project_id",
        help="Project that owns volumes the service keeps for itself, such as cached images.",
    ),
    cfg.StrOpt(
        "cinder_internal_tenant_user_id",
        help="User that owns volumes the service keeps for itself.",
    ),
]

TLS_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt("cert_file", help="Certificate chain of the API, PEM."),
    cfg.StrOpt("key_file", help="Private key of the API, PEM."),
    cfg.StrOpt("ca_file", help="Authorities of client certificates, PEM; set to demand them."),
]

MIDDLEWARE_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "max_request_body_size",
        default=114688,
        min=1,
        help="Largest request body, bytes; a larger one is answered with 413.",
    ),
    cfg.BoolOpt(
        "enable_proxy_headers_parsing",
        default=False,
        help="Believe X-Forwarded-Proto, -Host and -Prefix when links are made.",
    ),
]

HEALTHCHECK_OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "backends",
        default=[],
        help="Extra checks of /healthcheck; `disable_by_file` is known.",
    ),
    cfg.StrOpt(
        "disable_by_file_path",
        help="While this file exists, /healthcheck answers 503: takes a node out of rotation.",
    ),
]


def groups() -> dict[str, list[cfg.Opt]]:
    """The options of this module by section."""
    return {
        "DEFAULT": [*IDENTITY_OPTIONS, *API_OPTIONS, *RULE_OPTIONS],
        "ssl": TLS_OPTIONS,
        "oslo_middleware": MIDDLEWARE_OPTIONS,
        "healthcheck": HEALTHCHECK_OPTIONS,
    }
