"""What the API needs to know of the configuration, read once when the application is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The options of the API under short names; sizes are bytes.

    ``filters_file`` names the operator's list filters; a file that does not exist means the
    built-in ones.  While ``disable_file`` exists, /healthcheck answers 503.
    """

    max_limit: int = 1000
    max_body: int = 114688
    project_pattern: re.Pattern[str] = re.compile(r"[0-9a-f\-]+")
    public_endpoint: str | None = None
    filters_file: Path | None = None
    disable_file: Path | None = None

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> ApiSettings:
        """Read from options registered by `breezeblock.config`."""
        disable = None
        if "disable_by_file" in conf.healthcheck.backends and conf.healthcheck.disable_by_file_path:
            disable = Path(conf.healthcheck.disable_by_file_path)
        filters = conf.resource_query_filters_file
        endpoint = conf.public_endpoint
        return cls(
            max_limit=conf.osapi_max_limit,
            max_body=conf.oslo_middleware.max_request_body_size,
            project_pattern=re.compile(conf.project_id_regex),
            public_endpoint=endpoint.rstrip("/") if endpoint else None,
            filters_file=Path(filters) if filters else None,
            disable_file=disable,
        )
