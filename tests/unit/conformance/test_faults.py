"""The kit finds faults: each faulty driver fails the tests that are about its fault, and no others.

The drivers are installed as those of other projects are, by an entry point.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance import kit
from tests.unit.conformance.faulty import DRIVERS


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """An import path on which the faulty drivers are installed."""
    information = tmp_path / "site" / "faulty-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    lines = [f"{driver.__name__} = {driver.__module__}:{driver.__name__}" for driver in DRIVERS]
    (information / "entry_points.txt").write_text(
        "[breezeblock.drivers]\n" + "\n".join(lines) + "\n"
    )
    return [tmp_path / "site", kit.ROOT]


@pytest.mark.parametrize(
    ("fault", "module", "chosen", "failing"),
    [
        (
            "StaleBytes",
            "test_data.py",
            "deleted or keeps_the_bytes",
            {"test_new_volume_shows_nothing_of_a_deleted_one"},
        ),
        (
            "FailsOnAbsent",
            "test_verbs.py",
            "delete or missing",
            {"test_create_and_delete_twice", "test_delete_of_what_never_was"},
        ),
        (
            "SharedBlocks",
            "test_data.py",
            "point_in_time or clone_is or stays_the_first",
            {"test_snapshot_keeps_its_point_in_time", "test_snapshot_called_again_stays_the_first"},
        ),
        (
            "DirtyTail",
            "test_data.py",
            "extension or clone_is",
            {"test_extension_reads_zeros", "test_clone_is_exact_and_independent[2]"},
        ),
        (
            "ForgetsAKill",
            "test_kills.py",
            "done_again and (Creation or Snapshotting)",
            {"test_killed_and_done_again[Creation]"},
        ),
        (
            "HalfDone",
            "test_kills.py",
            "Creation",
            {"test_killed_and_done_again[Creation]"},
        ),
        (
            "LeavesLitter",
            "test_kills.py",
            "weight and (Cloning or Filling)",
            {"test_killed_and_left_no_weight[Cloning]"},
        ),
        (
            "RevertsInPlace",
            "test_kills.py",
            "Reverting",
            {"test_killed_and_done_again[Reverting]", "test_killed_and_given_up[Reverting]"},
        ),
        ("OneAtATime", "test_concurrency.py", "", {"test_lives_side_by_side"}),
        (
            "CutsOthersOff",
            "test_connections.py",
            "",
            {"test_export_stays_while_others_use_it"},
        ),
        (
            "WrongUnits",
            "test_stats.py",
            "",
            {
                "test_pools",
                "test_sizes_are_gibibytes",
                "test_stats_are_kept_until_refreshed",
            },
        ),
    ],
)
def test_fault_is_found(
    tmp_path: Path,
    installed: list[Path],
    fault: str,
    module: str,
    chosen: str,
    failing: set[str],
) -> None:
    answer = kit.run(tmp_path, module, "-k", chosen, path=installed, volume_driver=fault)
    assert answer.tests("FAILED") == failing, answer.output
    assert answer.tests("PASSED"), answer.output
    assert answer.exit_code == 1
    assert f"DOES NOT CONFORM ({len(failing)} tests failed)" in answer.output
    assert answer.output.count("contract: ") >= len(failing)


def test_strange_answers_are_found(tmp_path: Path, installed: list[Path]) -> None:
    modules = ("test_contract.py", "test_connections.py", "test_services.py")
    answer = kit.run(tmp_path, *modules, path=installed, volume_driver="StrangeAnswers")
    expected = {"test_signature[terminate_connection]", "test_round", "test_accept_transfer"}
    assert expected <= answer.tests("FAILED"), answer.output
    assert "missing: [['target_lun']]" in answer.output
    assert "Volume has no colour" in answer.output


@pytest.mark.parametrize("chosen", [["test_life.py"], ["-k", "says_what_it_is"]])
def test_a_part_of_the_kit_proves_nothing(tmp_path: Path, chosen: list[str]) -> None:
    answer = kit.run(tmp_path, *chosen, volume_driver="fake")
    assert answer.exit_code == 0, answer.output
    assert "verdict     no fault found, but only a part of the kit was run" in answer.output


def test_an_unknown_backend_is_no_conformance(tmp_path: Path) -> None:
    answer = kit.run(tmp_path, "--breezeblock-backend=nothing", volume_driver="fake")
    assert answer.exit_code == 4
    assert "no enabled backend is called nothing; there are: tested" in answer.output
