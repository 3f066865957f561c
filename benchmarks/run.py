"""``python -m benchmarks [part...]``: measure, print, and write RESULTS.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import ceph, footprint, machine, reading, writing
from benchmarks.load import WrkMissing
from benchmarks.measurement import Row, markdown

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """\
# Results

Written by `{command}`. What each line means is told in [README.md](README.md).

"""

PARTS: dict[str, Callable[[int], list[Row]]] = {
    "get": lambda seconds: [
        *reading.get_volume("noauth", seconds),
        *reading.get_volume("http_basic", seconds),
    ],
    "lists": reading.lists,
    "creates": lambda seconds: [*writing.creates("fake"), *writing.creates("file")],
    "attachments": lambda seconds: writing.attachments(10 * seconds),
    "quotas": lambda seconds: writing.quotas(20 * seconds),
    "memory": footprint.memory,
    "start": lambda seconds: footprint.first_answer(5),
    "rbd": lambda seconds: ceph.rbd(),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 0 if every aim is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=int, default=5, help="of load for each figure")
    parser.add_argument("--output", type=Path, help="where to write; all parts: RESULTS.md")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    facts = machine.described()
    rows = []
    for part in chosen.parts or PARTS:
        print(f"== {part}", file=sys.stderr, flush=True)
        try:
            measured = PARTS[part](chosen.seconds)
        except WrkMissing as missing:
            parser.exit(2, f"{missing}\n")
        sys.stderr.write(markdown(measured))
        rows += measured
    text = _HEAD.format(command=_command(chosen.parts, chosen.seconds))
    text += "".join(f"- {name}: {value}\n" for name, value in facts) + "\n" + markdown(rows)
    output = chosen.output or (None if chosen.parts else RESULTS)
    if output is None:
        print(text)
    else:
        output.write_text(text)
    return 1 if any(row.kept is False for row in rows) else 0


def _command(parts: Sequence[str], seconds: int) -> str:
    return " ".join([".venv/bin/python -m benchmarks", *parts, f"--seconds {seconds}"])
