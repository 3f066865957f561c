"""The doctor sees what is wrong, says how to mend it, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.application import Application, Start, configured

from breezeblock.cli.assembly import open_database
from breezeblock.cli.doctor import examine
from breezeblock.config.settings import Settings, load
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import schema
from breezeblock.store.tables import metadata

FILE = {"volume_driver": "file", "target_helper": "fake"}


def _file_backend(directory: Path) -> dict[str, dict[str, object]]:
    return {"one": {**FILE, "file_volumes_directory": directory / "data"}}


@pytest.fixture
def served(start: Start, tmp_path: Path) -> Application:
    """A service with a file backend and one volume."""
    application = start(backends=_file_backend(tmp_path))
    application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    return application


def _report(settings: Settings, capsys: pytest.CaptureFixture[str], *, healthy: bool) -> str:
    assert examine(settings) == (0 if healthy else 1)
    return capsys.readouterr().out


def _volume_file(tmp_path: Path) -> Path:
    (found,) = (p for p in (tmp_path / "data").rglob("volume-*") if p.is_file())
    return found


def test_health_is_said_so(served: Application, capsys: pytest.CaptureFixture[str]) -> None:
    before = _rows(served)
    report = _report(served.settings, capsys, healthy=True)
    assert "1 volumes and snapshots, all in their place" in report
    assert "counted again: all equal" in report
    assert "no operation is under way" in report
    assert _rows(served) == before


def _rows(application: Application) -> dict[str, int]:
    with application.database.read() as connection:
        return {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in metadata.sorted_tables
        }


def test_what_is_gone_and_what_is_nobodys(
    served: Application, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _volume_file(tmp_path)
    stranger = file.with_name("volume-11111111-2222-3333-4444-555555555555")
    file.rename(stranger)
    report = _report(served.settings, capsys, healthy=False)
    assert f"{file.name} is not on here@one any more" in report
    assert f"{stranger.name} is on here@one and no resource is it" in report


def test_an_empty_database_needs_its_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configured(tmp_path / "empty")
    assert "Run `breezeblock db upgrade`." in _report(settings, capsys, healthy=False)
    database = open_database(settings)
    schema.upgrade(database)
    database.dispose()
    assert "has never been served" in _report(settings, capsys, healthy=True)


def test_a_backend_that_cannot_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"volume_driver": "rbd", "rbd_ceph_conf": "/nowhere/ceph.conf"}
    settings = configured(tmp_path / "site", backends={"one": options})
    report = _report(settings, capsys, healthy=False)
    assert "backend [one] does not work" in report
    assert "tgt" not in report.partition("backend [one]")[0]


def test_unknown_options_and_filters_are_pointed_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"DEFAULT": {"quota_volumess": 5, "scheduler_default_filters": "MoonPhaseFilter"}}
    settings = configured(tmp_path / "site", options)
    report = _report(settings, capsys, healthy=False)
    assert "unknown option [DEFAULT] quota_volumess" in report
    assert "MoonPhaseFilter" in report


def test_an_api_open_to_everybody_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(tmp_path / "site", {"DEFAULT": {"osapi_volume_listen": "0.0.0.0"}})
    settings = load([tmp_path / "site" / "breezeblock.conf"])
    assert "open to other machines" in _report(settings, capsys, healthy=False)
