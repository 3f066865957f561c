"""Positions in configuration files."""

from __future__ import annotations

from pathlib import Path

from breezeblock.config.origins import Assignments, Origin


def test_positions_follow_the_rules_of_the_file_format(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text(
        "# comment\n"
        "[DEFAULT]\n"
        "one = 1\n"
        "two: 2=3\n"
        "long = first\n"
        "  second = not an option\n"
        "\n"
        "; comment\n"
        "[Section]\n"
        "one = '5'\n"
        "one = 6\n"
    )
    found = Assignments([file])
    one = found.find("DEFAULT", ["one"])
    assert one is not None and (one.line, one.text) == (3, "1")
    two = found.find("DEFAULT", ["two"])
    assert two is not None and (two.line, two.text) == (4, "2=3")
    assert found.find("DEFAULT", ["second"]) is None
    last = found.find("section", ["other", "one"])
    assert last is not None and (last.line, last.text) == (11, "6")
    assert found.find("absent", ["one"]) is None


def test_origins_read_as_places() -> None:
    assert str(Origin(kind="default")) == "default"
    assert str(Origin(kind="file", place="/etc/x.conf", line=4)) == "/etc/x.conf:4"
    assert str(Origin(kind="file", place="/etc/x.conf")) == "/etc/x.conf"
    assert str(Origin(kind="environment", place="OS_X")) == "environment variable OS_X"
