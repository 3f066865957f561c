"""The process side of the engine: backends set up, reported, changed, stopped and taken up."""

from __future__ import annotations

from pathlib import Path

from tests.application import Application, Start, configured, eventually

from breezeblock.domain.listing import ListQuery
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import services


def statuses(application: Application) -> list[str]:
    page = application.services.volumes.list(application.ctx(), ListQuery())
    return [volume.status for volume in page.items]


def test_a_ready_backend_is_reported(application: Application) -> None:
    (pool,) = application.pools()
    assert pool.name == "here@one#one"
    capabilities = pool.capabilities
    assert capabilities["volume_backend_name"] == "one"
    assert capabilities["storage_protocol"] == ["iSCSI", "iscsi"]
    assert capabilities["total_capacity_gb"] == 1000
    (state,) = application.services.backends.services(application.ctx(admin=True))
    assert (state.up, state.backend_up, state.service.host) == (True, True, "here@one")
    with application.database.read() as connection:
        document = services.capabilities(connection, "here@one")
    able = {name for name, has in document["abilities"].items() if has}
    assert able == {"revert_to_snapshot", "extend_in_use", "list_own_objects"}


def test_a_backend_that_does_not_start_does_not_stop_the_others(start: Start) -> None:
    application = start(
        backends={"one": {"fake_failures": "check_for_setup_error"}, "two": {}}, ready=["two"]
    )
    made = application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    found = application.services.volumes.get(application.ctx(), made.id)
    assert (found.status, found.host) == ("available", "here@two#two")
    assert application.host is not None
    assert set(application.host.ready()) == {"here@two"}


def test_a_backend_that_is_mended_is_served_from_then_on(start: Start, tmp_path: Path) -> None:
    broken = {"fake_failures": "check_for_setup_error"}
    application = start(backends={"one": broken}, ready=[])
    host = application.host
    assert host is not None
    assert host.ready() == {}
    host.apply(configured(tmp_path / "mended"))
    eventually(application.pools, "the first report")
    application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    assert statuses(application) == ["available"]


def test_what_was_queued_is_done_after_a_restart(start: Start) -> None:
    application = start()
    application.stop_worker()
    for _ in range(3):
        application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    assert statuses(application) == ["creating"] * 3
    application.start_worker()
    application.settle()
    assert statuses(application) == ["available"] * 3


def test_a_stop_waits_for_short_steps(start: Start) -> None:
    application = start(backends={"one": {"fake_delay": 0.05}})
    for _ in range(4):
        application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    assert application.stop_worker()
    assert all(operation.owner is None for operation in application.operations())
    application.start_worker()
    application.settle()
    assert statuses(application) == ["available"] * 4


def test_other_settings_are_taken_up_while_running(start: Start, tmp_path: Path) -> None:
    application = start()
    host = application.host
    assert host is not None
    host.apply(configured(tmp_path / "changed", backends={"one": {}, "two": {}}))
    eventually(lambda: set(host.ready()) == {"here@one", "here@two"}, "the second backend")
    host.apply(configured(tmp_path / "changed", backends={"two": {}}))
    eventually(lambda: set(host.ready()) == {"here@two"}, "the end of the first")


def test_settings_that_did_not_change_keep_their_driver(start: Start) -> None:
    application = start()
    host = application.host
    assert host is not None
    kept = host.ready()["here@one"]
    host.apply(application.settings)
    assert host.ready()["here@one"] is kept


def test_new_backends_may_wait_for_the_operator(start: Start) -> None:
    application = start({"DEFAULT": {"enable_new_services": False}})
    made = application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    assert statuses(application) == ["error"]
    application.services.backends.set_disabled(
        application.ctx(admin=True), host="here@one", binary="cinder-volume", disabled=False
    )
    application.services.volumes.delete(application.ctx(), made)
    application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    assert "available" in statuses(application)


def test_two_workers_on_one_store_share_the_work(start: Start) -> None:
    """Each operation is claimed once, by one of them."""
    application = start({"DEFAULT": {"quota_volumes": 20}}, worker=False)
    application.start_worker()
    first = application.host
    application.host = None
    application.start_worker()
    for _ in range(20):
        application.services.volumes.create(application.ctx(), VolumeRequest(size=1))
    application.settle()
    assert statuses(application) == ["available"] * 20
    assert all(operation.epoch == 1 for operation in application.operations())
    assert first is not None
    assert first.stop(10)
