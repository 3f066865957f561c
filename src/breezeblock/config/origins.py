"""Where each value of the configuration files stands, to the line.

The option library knows the file a value came from, not the line; a message that sends the
reader to the right line saves the search.  The files are read here a second time for
positions only: what a value means stays the library's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an effective value comes from.

    ``kind`` is ``default``, ``file`` or ``environment``; ``place`` the file or the variable;
    ``section`` where it was found in a file; ``line`` counts from 1, 0 when unknown.
    """

    kind: str
    place: str = ""
    section: str = ""
    line: int = 0

    def __str__(self) -> str:
        if self.kind == "default":
            return "default"
        if self.kind == "environment":
            return f"environment variable {self.place}"
        return f"{self.place}:{self.line}" if self.line else self.place


DEFAULT = Origin(kind="default")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One ``option = value`` as it stands in a file."""

    file: str
    line: int
    section: str
    option: str
    text: str


def section_key(section: str) -> str:
    """Sections are told apart without regard to case, all but DEFAULT, as the library does."""
    return section if section == "DEFAULT" else section.lower()


class Assignments:
    """All assignments of some files; where two say the same thing, the last one counts."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._latest: dict[tuple[str, str], Assignment] = {}
        self.sections: set[str] = set()
        for file in files:
            self._read(file)

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self._latest.values())

    def find(self, section: str, names: Iterable[str]) -> Assignment | None:
        """The assignment of the option known by any of ``names``."""
        for name in names:
            found = self._latest.get((section_key(section), name))
            if found is not None:
                return found
        return None

    def _read(self, file: Path) -> None:
        section = "DEFAULT"
        text = file.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            stripped = line.strip()
            # An indented line continues the value above it.
            if not stripped or stripped[0] in "#;" or line[0].isspace():
                continue
            if stripped.startswith("["):
                section = stripped.strip("[]")
                self.sections.add(section_key(section))
                continue
            separator = min(
                (position for mark in "=:" if (position := stripped.find(mark)) >= 0),
                default=len(stripped),
            )
            option = stripped[:separator].strip()
            value = stripped[separator + 1 :].strip().strip("'\"")
            self._latest[section_key(section), option] = Assignment(
                str(file), number, section, option, value
            )
