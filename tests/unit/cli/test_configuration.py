"""``config show``: what the operator sees."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from breezeblock.cli.configuration import show
from breezeblock.cli.main import main
from breezeblock.config.settings import load

TEXT = """\
[DEFAULT]
enabled_backends = a
max_over_subscription_ratio = 5.0
[database]
connection = postgresql+psycopg://user:pa:ss@db.example/store
[backend_defaults]
target_port = 4000
[a]
chap_password = hunter2
"""


def test_values_secrets_and_places(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text(TEXT)
    text = "\n".join(" ".join(line.split()) for line in show(load([file])))
    assert "pa:ss" not in text
    assert "hunter2" not in text
    assert f"connection = postgresql+psycopg://user:****@db.example/store # {file}:5" in text
    assert f"chap_password = **** # {file}:9" in text
    assert f"target_port = 4000 # {file}:7" in text
    assert f"max_over_subscription_ratio = 5.0 # {file}:3" in text
    assert "volume_clear = zero # default" in text
    assert "[backend_defaults]" not in text


def test_the_command_prints_only_what_is_set(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text(TEXT)
    result = CliRunner().invoke(main, ["config", "show", "--set-only", "--config-file", str(file)])
    assert result.exit_code == 0
    assert "enabled_backends = a" in result.output
    assert "# default" not in result.output


def test_a_bad_value_ends_a_command_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.conf"
    file.write_text("[DEFAULT]\nosapi_max_limit = many\n")
    result = CliRunner().invoke(main, ["config", "show", "--config-file", str(file)])
    assert result.exit_code == 2
    assert f"{file}:2: [DEFAULT] osapi_max_limit = many" in result.output
