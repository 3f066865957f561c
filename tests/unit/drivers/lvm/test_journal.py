"""The journal of what is half made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from breezeblock.drivers.lvm.errors import LvmError
from breezeblock.drivers.lvm.journal import EXTEND, MAKE, REVERT, Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "lvm" / "vg0")
    made.prepare()
    return made


def test_an_entry_lives_until_it_is_finished(journal: Journal) -> None:
    entry = journal.begin("volume-1", MAKE)
    journal.checkpoint("volume-1", MAKE).write_text("far")
    assert journal.begin("volume-1", MAKE) == entry
    assert journal.checkpoint("volume-1", MAKE).exists()
    assert journal.find("volume-1", EXTEND) is None
    other = journal.begin("volume-1", EXTEND, size=7)
    assert journal.entries() == [other, entry]
    assert journal.names(MAKE) == {"volume-1"}
    journal.finish("volume-1", MAKE)
    journal.finish("volume-1", MAKE)
    assert journal.entries() == [other]
    assert not journal.checkpoint("volume-1", MAKE).exists()
    # What is made anew is not what was made before.
    assert journal.begin("volume-1", MAKE).tag != entry.tag


def test_a_new_entry_has_no_old_checkpoint(journal: Journal) -> None:
    journal.checkpoint("volume-1", MAKE).write_text("of another life")
    journal.begin("volume-1", MAKE)
    assert not journal.checkpoint("volume-1", MAKE).exists()


def test_what_is_gone_is_forgotten(journal: Journal) -> None:
    journal.begin("volume-1", MAKE)
    journal.begin("volume-1", EXTEND)
    journal.begin("volume-2", REVERT, snapshot="_snapshot-1")
    kept = journal.begin("volume-3", MAKE)
    journal.forget("volume-1")
    journal.forget("_snapshot-1")
    assert journal.entries() == [kept]


def test_a_torn_entry_counts_as_none(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "lvm" / "vg0" / "volume-1.make").write_text('{"name"')
    assert journal.find("volume-1", MAKE) is None
    assert journal.begin("volume-1", MAKE).name == "volume-1"


def test_one_worker_at_a_time(journal: Journal) -> None:
    with journal.held("volume-1"):
        refused: list[LvmError] = []

        def second() -> None:
            try:
                with journal.held("volume-1", timeout=0):
                    pass
            except LvmError as failure:
                refused.append(failure)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert refused
        assert refused[0].transient
        with journal.held("volume-2", timeout=0):
            pass
    with journal.held("volume-1", timeout=0):
        pass
