"""What was measured, beside what the same thing costs in the raw, as rows of a table."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the results.

    ``raw`` is the cost of the same thing without us; ``aim`` is what was promised, and ``kept``
    whether it was (None: nothing was promised).
    """

    what: str
    measured: str
    raw: str = ""
    aim: str = ""
    kept: bool | None = None

    def cells(self) -> tuple[str, str, str, str, str]:
        verdict = "" if self.kept is None else "yes" if self.kept else "**no**"
        return self.what, self.measured, self.raw, self.aim, verdict

    def markdown(self) -> str:
        """A line of the table."""
        return f"| {' | '.join(self.cells())} |\n"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that ``percent`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))]


def spread(values: Sequence[float]) -> str:
    """Median and 99th percentile of durations in seconds."""
    middle, worst = statistics.median(values), percentile(values, 99)
    return f"p50 {milliseconds(middle)}, p99 {milliseconds(worst)}"


def markdown(rows: Sequence[Row]) -> str:
    head = ("what", "measured", "raw cost beside it", "aim", "kept")
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    return "".join(f"| {line} |\n" for line in lines) + "".join(row.markdown() for row in rows)
