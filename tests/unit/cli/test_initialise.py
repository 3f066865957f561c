"""``breezeblock init``: made once, kept afterwards."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import bcrypt

from breezeblock.cli.initialise import initialise
from breezeblock.config.settings import load

FILES = ("breezeblock.conf", "htpasswd", "admin-password", "openrc")


def contents(state: Path) -> dict[str, bytes]:
    return {name: (state / name).read_bytes() for name in FILES}


def sourced(openrc: Path, command: str) -> str:
    """What ``command`` prints in a shell that sourced openrc."""
    script = f". {shlex.quote(str(openrc))} && {command}"
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_it_writes_is_a_secure_configuration(tmp_path: Path) -> None:
    state = tmp_path / "var"
    list(initialise(state, 18776, None))
    settings = load([state / "breezeblock.conf"])
    assert settings.conf.osapi_volume_listen == "127.0.0.1"
    assert settings.conf.osapi_volume_listen_port == 18776
    assert settings.conf.auth_strategy == "http_basic"
    assert settings.conf.state_path == str(state)
    assert list(settings.backends) == ["file"]
    assert settings.backends["file"].target_port == settings.conf.breezeblock.tgt_control_port
    assert settings.unrecognised() == []
    for name in FILES:
        assert (state / name).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def test_the_password_of_openrc_opens_the_password_file(tmp_path: Path) -> None:
    list(initialise(tmp_path, None, None))
    password = sourced(tmp_path / "openrc", 'echo "$OS_PASSWORD"')
    user, _, digest = (tmp_path / "htpasswd").read_text().strip().partition(":")
    assert user == sourced(tmp_path / "openrc", 'echo "$OS_USERNAME"')
    assert bcrypt.checkpw(password.encode(), digest.encode())


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    assert list(initialise(tmp_path, 18776, None))
    before = contents(tmp_path)
    assert list(initialise(tmp_path, None, None)) == []
    assert list(initialise(tmp_path, 18776, None)) == []
    assert contents(tmp_path) == before


def test_only_the_port_changes_when_another_is_asked_for(tmp_path: Path) -> None:
    list(initialise(tmp_path, 18776, None))
    before = contents(tmp_path)
    list(initialise(tmp_path, 18777, None))
    after = contents(tmp_path)
    assert before["htpasswd"] == after["htpasswd"]
    assert before["breezeblock.conf"].replace(b"18776", b"18777") == after["breezeblock.conf"]
    assert sourced(tmp_path / "openrc", 'echo "$OS_ENDPOINT"') == "http://127.0.0.1:18777/v3"


def test_a_lost_openrc_comes_back_with_the_same_password(tmp_path: Path) -> None:
    list(initialise(tmp_path, None, None))
    before = contents(tmp_path)
    (tmp_path / "openrc").unlink()
    list(initialise(tmp_path, None, None))
    assert contents(tmp_path) == before


def test_a_lost_password_makes_a_new_pair(tmp_path: Path) -> None:
    list(initialise(tmp_path, None, None))
    (tmp_path / "admin-password").unlink()
    list(initialise(tmp_path, None, None))
    password = (tmp_path / "admin-password").read_text().strip()
    digest = (tmp_path / "htpasswd").read_text().strip().partition(":")[2]
    assert bcrypt.checkpw(password.encode(), digest.encode())


def test_openrc_clears_what_another_cloud_left(tmp_path: Path) -> None:
    list(initialise(tmp_path, None, None))
    left = "OS_PROJECT_NAME=x; export OS_PROJECT_NAME"
    script = f'{left}; . {shlex.quote(str(tmp_path / "openrc"))}; echo "${{OS_PROJECT_NAME-unset}}"'
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "unset"


def test_clones_get_different_portals(tmp_path: Path) -> None:
    portals = set()
    for name in ("one", "two", "three"):
        list(initialise(tmp_path / name, None, None))
        settings = load([tmp_path / name / "breezeblock.conf"])
        portals.add(settings.backends["file"].target_port)
    assert len(portals) == 3
