"""Every table.  Times are naive UTC with microseconds; sizes are GiB; ids are UUID text.

Rows of removed resources are deleted in the transaction that ends them; ``events`` keeps what
happened.  Every list's default order is covered by an index, and so are the sums that
quotas and placement take.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Seq = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Id = sa.String(36)
Name = sa.String(255)
Json = sa.JSON(none_as_null=True)


def _times() -> tuple[sa.Column[object], sa.Column[object]]:
    return sa.Column("created_at", Time, nullable=False), sa.Column("updated_at", Time)


volumes = sa.Table(
    "volumes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    # While it grows: the size it will have, which its quota already counts.
    sa.Column("target_size", sa.Integer),
    sa.Column("status", Name, nullable=False),
    sa.Column("previous_status", Name),
    sa.Column("attach_status", Name, nullable=False),
    sa.Column("migration_status", Name),
    sa.Column("display_name", Name),
    sa.Column("display_description", Name),
    sa.Column("name_id", Id),
    sa.Column("host", Name),
    sa.Column("cluster_name", Name),
    sa.Column("service_uuid", Id),
    sa.Column("availability_zone", Name),
    sa.Column("volume_type_id", Id, sa.ForeignKey("volume_types.id")),
    sa.Column("snapshot_id", Id),
    sa.Column("source_volid", Id),
    sa.Column("bootable", sa.Boolean, nullable=False),
    sa.Column("multiattach", sa.Boolean, nullable=False),
    sa.Column("consumes_quota", sa.Boolean, nullable=False),
    sa.Column("shared_targets", sa.Boolean),
    sa.Column("encryption_key_id", Id),
    sa.Column("replication_status", Name),
    sa.Column("group_id", Id),
    sa.Column("provider_id", Name),
    sa.Column("provider_location", sa.String(512)),
    sa.Column("provider_auth", Name),
    sa.Column("provider_geometry", Name),
    sa.Column("admin_metadata", Json, nullable=False),
    sa.Column("launched_at", Time),
    *_times(),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "created_at", "id"),
    sa.Index(
        "ix_volumes_quota",
        *("project_id", "consumes_quota", "volume_type_id", "status", "size", "target_size"),
    ),
    sa.Index("ix_volumes_pool", "host", "status", "size", "target_size"),
    sa.Index(None, "volume_type_id"),
    sa.Index(None, "source_volid"),
)

volume_metadata = sa.Table(
    "volume_metadata",
    metadata,
    sa.Column("volume_id", Id, sa.ForeignKey("volumes.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", Name, primary_key=True),
    sa.Column("value", Name, nullable=False),
    sa.Index(None, "key", "value"),
)

volume_image_metadata = sa.Table(
    "volume_image_metadata",
    metadata,
    sa.Column("volume_id", Id, sa.ForeignKey("volumes.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", Name, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("volume_id", Id, sa.ForeignKey("volumes.id"), nullable=False),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("volume_size", sa.Integer, nullable=False),
    sa.Column("status", Name, nullable=False),
    sa.Column("progress", sa.String(8), nullable=False),
    sa.Column("display_name", Name),
    sa.Column("display_description", Name),
    sa.Column("volume_type_id", Id),
    sa.Column("volume_name_id", Id),
    sa.Column("host", Name),
    sa.Column("consumes_quota", sa.Boolean, nullable=False),
    sa.Column("encryption_key_id", Id),
    sa.Column("group_snapshot_id", Id),
    sa.Column("provider_id", Name),
    sa.Column("provider_location", sa.String(512)),
    sa.Column("provider_auth", Name),
    *_times(),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "volume_id"),
    sa.Index(
        "ix_snapshots_quota",
        *("project_id", "consumes_quota", "volume_type_id", "status", "volume_size"),
    ),
)

snapshot_metadata = sa.Table(
    "snapshot_metadata",
    metadata,
    sa.Column(
        "snapshot_id", Id, sa.ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("key", Name, primary_key=True),
    sa.Column("value", Name, nullable=False),
    sa.Index(None, "key", "value"),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("volume_id", Id, sa.ForeignKey("volumes.id", ondelete="CASCADE"), nullable=False),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("attach_status", Name, nullable=False),
    sa.Column("instance_uuid", Id),
    sa.Column("attached_host", Name),
    sa.Column("mountpoint", Name),
    sa.Column("attach_mode", sa.String(36)),
    sa.Column("attach_time", Time),
    sa.Column("detach_time", Time),
    sa.Column("connector", Json),
    sa.Column("connection_info", Json),
    *_times(),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "volume_id"),
)

volume_types = sa.Table(
    "volume_types",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("description", Name),
    sa.Column("is_public", sa.Boolean, nullable=False),
    sa.Column("qos_specs_id", Id),
    *_times(),
    sa.Index(None, "created_at", "id"),
)

volume_type_extra_specs = sa.Table(
    "volume_type_extra_specs",
    metadata,
    sa.Column(
        "volume_type_id", Id, sa.ForeignKey("volume_types.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("key", Name, primary_key=True),
    sa.Column("value", Name),
)

volume_type_projects = sa.Table(
    "volume_type_projects",
    metadata,
    sa.Column(
        "volume_type_id", Id, sa.ForeignKey("volume_types.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("project_id", Name, primary_key=True),
)

# A project's row is what its writers lock; ``generation`` counts the changes made under it.
quota_projects = sa.Table(
    "quota_projects",
    metadata,
    sa.Column("project_id", Name, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
)

quota_limits = sa.Table(
    "quota_limits",
    metadata,
    sa.Column("project_id", Name, primary_key=True),
    sa.Column("resource", sa.String(300), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False),
)

services = sa.Table(
    "services",
    metadata,
    sa.Column("id", Seq, primary_key=True, autoincrement=True),
    sa.Column("uuid", Id, nullable=False, unique=True),
    sa.Column("host", Name, nullable=False),
    sa.Column("binary", Name, nullable=False),
    sa.Column("topic", Name, nullable=False),
    sa.Column("availability_zone", Name, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", Name),
    sa.Column("cluster_name", Name),
    sa.Column("frozen", sa.Boolean, nullable=False),
    sa.Column("active_backend_id", Name),
    sa.Column("replication_status", Name),
    sa.Column("capabilities", Json),
    sa.Column("heartbeat_at", Time),
    *_times(),
    sa.UniqueConstraint("host", "binary"),
)

pools = sa.Table(
    "pools",
    metadata,
    sa.Column("name", Name, primary_key=True),
    sa.Column("service_host", Name, nullable=False, index=True),
    sa.Column("availability_zone", Name, nullable=False),
    sa.Column("capabilities", Json, nullable=False),
    sa.Column("allocated_gb", sa.Integer, nullable=False),
    # What was placed since the report and is not in it; the next report starts it anew.
    sa.Column("consumed_gb", sa.Integer, nullable=False),
    sa.Column("reported_at", Time, nullable=False),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("request_id", Name),
    sa.Column("resource_type", sa.String(40), nullable=False),
    sa.Column("resource_uuid", Id),
    sa.Column("action_id", sa.String(10), nullable=False),
    sa.Column("detail_id", sa.String(10), nullable=False),
    sa.Column("event_id", Name, nullable=False),
    sa.Column("message_level", Name, nullable=False),
    sa.Column("cause", sa.String(1024)),
    sa.Column("expires_at", Time, nullable=False),
    *_times(),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "expires_at"),
)

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("seq", Seq, primary_key=True, autoincrement=True),
    sa.Column("id", Id, nullable=False, unique=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("queue", Name, nullable=False),
    sa.Column("resource_type", sa.String(40), nullable=False),
    sa.Column("resource_id", Id, nullable=False),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("request_id", Name),
    sa.Column("payload", Json, nullable=False),
    sa.Column("results", Json, nullable=False),
    sa.Column("step", sa.String(64)),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("bytes_done", sa.BigInteger, nullable=False),
    sa.Column("bytes_total", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("owner", Name),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("lease_until", sa.Float(53), nullable=False),
    sa.Column("not_before", sa.Float(53), nullable=False),
    sa.Column("error", sa.String(1024)),
    sa.Column("started_at", Time),
    sa.Column("finished_at", Time),
    *_times(),
    sa.Index("ix_operations_claim", "state", "queue", "seq"),
    sa.Index("ix_operations_resource", "resource_id", "state"),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "created_at", "id"),
    sa.Index(None, "owner"),
    sqlite_autoincrement=True,
)

# What an unfinished operation works on.  Of two that share a key, the later one waits for the
# earlier one's end, unless both only read (``exclusive`` is false on both).
operation_locks = sa.Table(
    "operation_locks",
    metadata,
    sa.Column("key", sa.String(80), primary_key=True),
    sa.Column("seq", Seq, sa.ForeignKey("operations.seq", ondelete="CASCADE"), primary_key=True),
    sa.Column("exclusive", sa.Boolean, nullable=False),
    sa.Index(None, "seq"),
)

# What happened, for audits: appended in the transaction that makes it true, pruned by age.
events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", Seq, primary_key=True, autoincrement=True),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("resource_type", sa.String(40), nullable=False),
    sa.Column("resource_id", Id, nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("request_id", Name),
    sa.Column("details", Json, nullable=False),
    sa.Index(None, "resource_id"),
    sa.Index(None, "created_at"),
)
