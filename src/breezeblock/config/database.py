"""Options of the database: ``[database]``."""

from __future__ import annotations

from oslo_config import cfg

DATABASE_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "connection",
        default="sqlite:///$state_path/breezeblock.db",
        secret=True,
        help="SQLAlchemy URL of the database.",
    ),
    cfg.IntOpt(
        "max_pool_size", default=5, min=1, help="Connections a process keeps open when idle."
    ),
    cfg.IntOpt(
        "max_overflow", default=50, min=0, help="Connections a process may open beyond the pool."
    ),
    cfg.IntOpt(
        "pool_timeout",
        default=30,
        min=1,
        help="Seconds a thread waits for a connection before it gives up.",
    ),
    cfg.IntOpt(
        "max_retries",
        default=10,
        min=-1,
        help="Attempts to reach the database on start; -1 means forever.",
    ),
    cfg.IntOpt("retry_interval", default=10, min=0, help="Seconds between those attempts."),
    cfg.IntOpt(
        "connection_recycle_time",
        default=3600,
        min=-1,
        help="Seconds after which a pooled connection is replaced; -1 means never.",
    ),
    cfg.IntOpt(
        "db_max_retries",
        default=20,
        min=0,
        help="Attempts of one transaction that lost a deadlock or its connection.",
    ),
    cfg.StrOpt(
        "mysql_sql_mode",
        default="TRADITIONAL",
        help="SQL mode of MariaDB sessions; empty leaves the server's own.",
    ),
    cfg.BoolOpt(
        "sqlite_synchronous",
        default=True,
        help="Wait for the disk on every commit in SQLite. Off risks the last transactions in "
        "a power cut, not the database.",
    ),
]


def groups() -> dict[str, list[cfg.Opt]]:
    """The options of this module by section."""
    return {"database": DATABASE_OPTIONS}
