"""The form in which SCST's configuration is written and read: scst.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from breezeblock.targets.errors import TargetError

_UNFIT = re.compile(r'[\s#"\\{}]')
_ESCAPED_HASH = re.compile(r"(?<!\\)#.*$")


@dataclass(slots=True)
class Entry:
    """One line with what is within its braces: ``TARGET iqn... { ... }``, ``enabled 1``."""

    keyword: str
    argument: str = ""
    children: list[Entry] = field(default_factory=list)

    def all(self, keyword: str) -> Iterator[Entry]:
        """The entries of one kind directly within this one."""
        return (child for child in self.children if child.keyword == keyword)

    def find(self, keyword: str, argument: str) -> Entry | None:
        """One of them, by its argument."""
        return next((c for c in self.all(keyword) if c.argument == argument), None)

    def values(self, keyword: str) -> set[str]:
        """The arguments of one kind."""
        return {child.argument for child in self.all(keyword)}

    def add(self, keyword: str, argument: str = "", *children: Entry) -> Entry:
        """Append an entry and return it."""
        made = Entry(keyword, argument, list(children))
        self.children.append(made)
        return made

    def luns(self) -> dict[int, str]:
        """The devices by their numbers."""
        pairs = (child.argument.split() for child in self.all("LUN"))
        return {int(number): device for number, device in pairs}


def check_word(word: str, what: str) -> str:
    """``word`` if it can stand in the file.  Raises ``TargetError``, which names ``what``."""
    if not word or _UNFIT.search(word):
        raise TargetError(
            reason=f"SCST's configuration cannot hold {what} with blanks, quotes or the signs "
            "# \\ { }"
        )
    return word


def render(entries: list[Entry], depth: int = 0) -> str:
    """The text of a file with these entries."""
    indent = "\t" * depth
    lines = []
    for entry in entries:
        argument = entry.argument
        if " " in argument and entry.keyword != "LUN":
            argument = f'"{argument}"'
        head = f"{indent}{entry.keyword} {argument}".rstrip()
        if entry.children:
            lines += [f"{head} {{\n", render(entry.children, depth + 1), f"{indent}}}\n"]
        else:
            lines.append(f"{head}\n")
    return "".join(lines)


def parse(text: str) -> Entry:
    """The whole file as one entry without a keyword.  Raises ``TargetError`` on nonsense."""
    root = Entry("")
    open_entries = [root]
    for raw in text.splitlines():
        line = _ESCAPED_HASH.sub("", raw).strip()
        if line == "}":
            open_entries.pop()
            if not open_entries:
                raise TargetError(reason="SCST's configuration has a brace too many")
        elif line:
            opens = line.endswith("{")
            keyword, _, argument = line.rstrip("{").strip().partition(" ")
            made = open_entries[-1].add(keyword, _plain(argument))
            if opens:
                open_entries.append(made)
    if open_entries != [root]:
        raise TargetError(reason="SCST's configuration ends within braces")
    return root


def _plain(argument: str) -> str:
    return re.sub(r"\\(.)", r"\1", argument.strip().strip('"'))
