"""A Ceph cluster for looking around and for measuring; see ``tests/ceph_lab/cluster.py``.

python -m tests.ceph_lab up DIR      make it, or start it again; it stays when this ends
python -m tests.ceph_lab stop DIR    stop it and keep its data
python -m tests.ceph_lab down DIR    remove it
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.ceph_lab.cluster import Cluster
from tests.ceph_lab.failure import CephLabFailure


def main(arguments: Sequence[str]) -> int:
    """Do it; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.ceph_lab",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=("up", "stop", "down"))
    parser.add_argument("directory", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        cluster = Cluster(options.directory.absolute(), outlive=True)
        if options.verb == "up":
            cluster.start()
            print(f"users {', '.join(cluster.users)}; pools {', '.join(cluster.pools)}")
            print(f"export CEPH_CONF={cluster.conf}")
        elif options.verb == "stop":
            cluster.stop()
        else:
            cluster.remove()
    except CephLabFailure as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
