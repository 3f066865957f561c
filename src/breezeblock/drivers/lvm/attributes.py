"""The ten characters of ``lv_attr`` (lvs(8), NOTES) under names."""

from __future__ import annotations

from dataclasses import dataclass

#: Fifth character -> what is wrong with the volume.
_STATES = {
    "s": "it is suspended: see dmsetup info, and resume it",
    "I": "the snapshot is invalid: its room for differences overflowed; delete it",
    "S": "the snapshot is invalid and suspended: delete it",
    "m": "the merge of a snapshot into it failed: see the kernel log",
    "M": "the merge of a snapshot into it failed, and it is suspended: see the kernel log",
    "d": "its device has no table: deactivate and activate it (lvchange -an, -ay)",
    "i": "its device has only an inactive table: deactivate and activate it (lvchange -an, -ay)",
    "c": "its thin pool needs a check: deactivate it and run lvconvert --repair",
    "C": "its thin pool needs a check and is suspended: run lvconvert --repair",
}

#: Ninth character -> the same.
_HEALTH = {
    "p": "a disk below it is missing: bring it back, or see vgreduce --removemissing",
    "r": "a disk below it has failed in part: run lvchange --refresh, or lvconvert --repair",
    "m": "the legs of the mirror differ: run lvchange --syncaction repair",
    "F": "the thin pool has failed: deactivate it and run lvconvert --repair",
    "D": "the thin pool is out of data space: extend it with lvextend",
    "M": "the thin pool's metadata is read-only or full: extend it with "
    "lvextend --poolmetadatasize, then lvconvert --repair if it stays so",
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What ``lv_attr`` says.

    ``open`` and ``active`` are None where LVM could not tell.  ``zeroes``: a thin pool zeroes
    blocks before their first use.  ``problem`` says what is wrong and what helps, "" if nothing.
    """

    text: str
    writable: bool
    active: bool | None
    open: bool | None
    zeroes: bool
    skips_activation: bool
    problem: str

    @classmethod
    def parse(cls, text: str) -> Attributes:
        """Decode; characters that this release does not know mean nothing."""
        one = text.ljust(10, "-")
        return cls(
            text=text,
            writable=one[1] in "wR",
            active=None if one[4] == "X" else one[4] != "-",
            open=None if one[5] == "X" else one[5] == "o",
            zeroes=one[7] == "z",
            skips_activation=one[9] == "k",
            problem=_STATES.get(one[4]) or _HEALTH.get(one[8], ""),
        )
