"""``breezeblock target``: the target daemon apart from the service."""

from __future__ import annotations

from pathlib import Path

from breezeblock.config.settings import Settings
from breezeblock.targets.tgt_daemon import TgtDaemon, TgtDaemonSettings


def stop(settings: Settings) -> bool:
    """End the tgtd of this configuration; false if it does not run or is not ours."""
    own = settings.conf.breezeblock
    if not own.tgt_daemon_managed:
        return False
    daemon = TgtDaemonSettings(
        state_path=Path(settings.conf.state_path), portals=(), control_port=own.tgt_control_port
    )
    return TgtDaemon(daemon).stop()
