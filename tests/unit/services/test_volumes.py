"""What requests about volumes are refused for, and with which error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.application import OTHER_PROJECT, PROJECT, Application, Start
from tests.stored import attachment

from breezeblock.domain import errors
from breezeblock.domain.resources import Volume
from breezeblock.domain.volume_states import RESET_TARGETS, VOLUME
from breezeblock.services.volumes import VolumeRequest
from breezeblock.store import attachments
from breezeblock.store import volumes as rows
from breezeblock.store.tables import volumes as table


@pytest.fixture
def idle(start: Start) -> Application:
    """An application whose worker has reported its pools and is gone."""
    application = start()
    application.stop_worker()
    return application


def create(application: Application, size: int | None = 1, **fields: Any) -> Volume:
    request = VolumeRequest(size=size, **fields)
    return application.services.volumes.create(application.ctx(), request)


def put(application: Application, made: Volume, **fields: Any) -> Volume:
    """Bring the row into a condition, past all rules, and forget its operations."""
    application.database.transact(lambda tx: rows.update(tx, made.id, **fields))
    with application.database.read() as connection:
        return rows.get(connection, made.id)


def ready(application: Application, **fields: Any) -> Volume:
    """An available volume on the backend, as far as the store knows."""
    return put(application, create(application), **{"status": "available"} | fields)


def unchanged(application: Application, act: Callable[[], object]) -> None:
    """Expect that a refused request leaves nothing behind."""

    def everything() -> list[Any]:
        with application.database.read() as connection:
            return [
                connection.exec_driver_sql(f"SELECT * FROM {name}").all()  # noqa: S608
                for name in ("volumes", "snapshots", "operations", "messages", "pools")
            ]

    before = everything()
    with pytest.raises(errors.BreezeblockError):
        act()
    assert everything() == before


# ---- create ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 0, -1])
def test_a_volume_needs_a_size(idle: Application, size: int | None) -> None:
    with pytest.raises(errors.InvalidInput, match="at least 1 GiB"):
        create(idle, size)
    unchanged(idle, lambda: create(idle, size))


def test_a_copy_has_its_sources_size_or_more(idle: Application) -> None:
    source = ready(idle, size=3)
    assert create(idle, None, source_volid=source.id).size == 3
    assert create(idle, 5, source_volid=source.id).size == 5
    with pytest.raises(errors.InvalidInput, match="smaller than its source's 3 GiB"):
        create(idle, 2, source_volid=source.id)
    with pytest.raises(errors.InvalidInput, match="one source"):
        create(idle, 3, source_volid=source.id, snapshot_id="x")


@pytest.mark.parametrize("status", sorted(set(VOLUME.states) - {"available", "in-use"}))
def test_a_source_must_be_whole(idle: Application, status: str) -> None:
    source = ready(idle, status=status)
    with pytest.raises(errors.InvalidVolume, match=status):
        create(idle, source_volid=source.id)


def test_sources_of_others_do_not_exist(idle: Application) -> None:
    source = ready(idle, project_id=OTHER_PROJECT)
    with pytest.raises(errors.VolumeNotFound):
        create(idle, source_volid=source.id)
    with pytest.raises(errors.SnapshotNotFound):
        create(idle, snapshot_id="nowhere")


def test_quotas_are_kept(start: Start) -> None:
    application = start({"DEFAULT": {"quota_volumes": 2, "quota_gigabytes": 5}})
    application.stop_worker()
    create(application, 3)
    with pytest.raises(errors.OverQuota, match="gigabytes"):
        create(application, 3)
    create(application, 1)
    with pytest.raises(errors.OverQuota, match="volumes"):
        create(application, 1)
    unchanged(application, lambda: create(application, 1))


def test_a_type_may_have_quotas_of_its_own(idle: Application) -> None:
    ctx = idle.ctx()
    idle.services.quotas.update(ctx, PROJECT, {"volumes___DEFAULT__": 1})
    create(idle)
    with pytest.raises(errors.OverQuota, match="volumes___DEFAULT__"):
        create(idle)
    idle.services.quotas.reset(ctx, PROJECT)
    create(idle)


def test_the_largest_volume_is_bounded(start: Start) -> None:
    application = start({"DEFAULT": {"per_volume_size_limit": 2}})
    application.stop_worker()
    with pytest.raises(errors.PerVolumeSizeExceeded, match="2 GiB"):
        create(application, 3)


def test_sixteen_at_once_get_exactly_the_quota(start: Start) -> None:
    application = start({"DEFAULT": {"quota_volumes": 10}})
    application.stop_worker()
    made: list[str] = []
    refused: list[int] = []

    def ask() -> None:
        for _ in range(2):
            try:
                made.append(create(application).id)
            except errors.OverQuota:
                refused.append(1)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (10, 22)


# ---- types -----------------------------------------------------------------------------------


def new_type(application: Application, name: str, **specs: str) -> str:
    made = application.services.volume_types.create(
        application.ctx(admin=True),
        name=name,
        description=None,
        is_public=True,
        extra_specs={key.replace("__", ":"): value for key, value in specs.items()},
    )
    return made.id


def test_a_type_is_found_by_id_by_name_or_by_default(idle: Application) -> None:
    type_id = new_type(idle, "gold", multiattach="<is> True")
    by_name, by_id = create(idle, volume_type="gold"), create(idle, volume_type=type_id)
    assert {by_name.volume_type_id, by_id.volume_type_id} == {type_id}
    assert by_name.multiattach
    assert create(idle).volume_type_name == "__DEFAULT__"
    with pytest.raises(errors.VolumeTypeNotFound):
        create(idle, volume_type="silver")
    source = put(idle, by_id, status="available")
    assert create(idle, None, source_volid=source.id).volume_type_id == type_id


def test_private_types_are_for_their_projects(idle: Application) -> None:
    admin = idle.ctx(OTHER_PROJECT, admin=True)
    made = idle.services.volume_types.create(
        admin, name="secret", description=None, is_public=False, extra_specs={}
    )
    with pytest.raises(errors.VolumeTypeNotFound):
        create(idle, volume_type="secret")
    idle.services.volume_types.add_access(admin, made, PROJECT)
    assert create(idle, volume_type="secret").volume_type_name == "secret"


def test_a_default_type_that_does_not_exist_is_the_operators_business(start: Start) -> None:
    application = start({"DEFAULT": {"default_volume_type": "missing"}})
    with pytest.raises(errors.DefaultTypeMisconfigured, match="missing"):
        create(application)


def test_a_type_may_bound_sizes(idle: Application) -> None:
    new_type(idle, "b", provisioning__min_vol_size="2", provisioning__max_vol_size="3")
    for size, fits in ((1, False), (2, True), (3, True), (4, False)):
        if fits:
            create(idle, size, volume_type="b")
        else:
            with pytest.raises(errors.InvalidInput, match="GiB"):
                create(idle, size, volume_type="b")
    made = put(idle, create(idle, 3, volume_type="b"), status="available")
    with pytest.raises(errors.InvalidInput, match="at most 3 GiB"):
        idle.services.volumes.extend(idle.ctx(), made, 4, in_use_allowed=False)


# ---- zones -----------------------------------------------------------------------------------

ZONES: Any = {
    "one": {"backend_availability_zone": "earth"},
    "two": {"backend_availability_zone": "mars"},
}


def test_a_volume_is_put_into_the_zone_it_asks_for(start: Start) -> None:
    application = start({"DEFAULT": {"default_availability_zone": "earth"}}, backends=ZONES)
    application.stop_worker()
    assert create(application, availability_zone="mars").host == "here@two#two"
    assert create(application).host == "here@one#one"
    with pytest.raises(errors.AvailabilityZoneUnknown, match="venus"):
        create(application, availability_zone="venus")
    source = put(application, create(application, availability_zone="mars"), status="available")
    assert create(application, None, source_volid=source.id).availability_zone == "mars"
    with pytest.raises(errors.InvalidInput, match="its source's zone, mars"):
        create(application, None, source_volid=source.id, availability_zone="earth")


def test_an_unknown_zone_may_fall_back_to_the_default(start: Start) -> None:
    application = start(
        {
            "DEFAULT": {
                "default_availability_zone": "earth",
                "allow_availability_zone_fallback": True,
            }
        },
        backends=ZONES,
    )
    application.stop_worker()
    made = create(application, availability_zone="venus")
    assert (made.availability_zone, made.host) == ("earth", "here@one#one")


# ---- statuses --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(VOLUME.states))
def test_what_each_status_allows(idle: Application, status: str) -> None:
    """The service lets through what the table has, and nothing else."""
    services, ctx = idle.services, idle.ctx()
    made = ready(idle, status=status)

    def attempt(event: str, act: Callable[[Volume], object]) -> None:
        current = put(idle, made, status=status, target_size=None)
        if status in VOLUME.sources(event):
            act(current)
        else:
            unchanged(idle, lambda: act(current))

    attempt("delete", lambda v: services.volumes.delete(ctx, v))
    attempt("force_delete", lambda v: services.volumes.delete(ctx, v, force=True))
    attempt("extend", lambda v: services.volumes.extend(ctx, v, 2, in_use_allowed=False))
    attempt("extend_in_use", lambda v: services.volumes.extend(ctx, v, 2, in_use_allowed=True))
    attempt("reserve", lambda v: services.connections.reserve(ctx, v))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"attach_status": "attached", "status": "in-use"}, "detach it first"),
        ({"migration_status": "migrating"}, "migrated"),
        ({"group_id": "g"}, "group"),
        ({"status": "extending"}, "its status is extending"),
    ],
)
def test_a_delete_is_refused_with_the_reason(
    idle: Application, fields: dict[str, str], words: str
) -> None:
    made = ready(idle, **fields)
    with pytest.raises(errors.InvalidVolume, match=words):
        idle.services.volumes.delete(idle.ctx(), made)


def test_growing_has_rules(idle: Application) -> None:
    services, ctx = idle.services, idle.ctx()
    made = ready(idle, size=3)
    for size in (1, 3):
        with pytest.raises(errors.InvalidInput, match="larger than 3 GiB"):
            services.volumes.extend(ctx, made, size, in_use_allowed=False)
    with pytest.raises(errors.InvalidInput, match="cannot grow where it is"):
        services.quotas.update(ctx, PROJECT, {"gigabytes": -1})
        services.volumes.extend(ctx, made, 10**6, in_use_allowed=False)
    services.quotas.update(ctx, PROJECT, {"gigabytes": 4})
    with pytest.raises(errors.OverQuota):
        services.volumes.extend(ctx, made, 5, in_use_allowed=False)
    services.volumes.extend(ctx, made, 4, in_use_allowed=False)
    # Two at once: the second sees that the first one has begun.
    with pytest.raises(errors.InvalidVolume):
        services.quotas.update(ctx, PROJECT, {"gigabytes": -1})
        services.volumes.extend(ctx, made, 6, in_use_allowed=False)


def test_a_thick_volume_grows_as_thick(start: Start) -> None:
    """The pool may promise twenty times what it has, but not of volumes of this type."""
    application = start(backends={"one": {"fake_capacity_gb": 10}})
    application.stop_worker()
    new_type(application, "thick", provisioning__type="thick")
    thin = put(application, create(application, 2), status="available")
    thick = put(application, create(application, 2, volume_type="thick"), status="available")
    services, ctx = application.services, application.ctx()
    with pytest.raises(errors.InvalidInput, match="cannot grow where it is"):
        services.volumes.extend(ctx, thick, 20, in_use_allowed=False)
    services.volumes.extend(ctx, thin, 20, in_use_allowed=False)


def test_reverting_has_rules(idle: Application) -> None:
    services, ctx = idle.services, idle.ctx()
    made = ready(idle)
    with pytest.raises(errors.InvalidVolume, match="has no snapshots"):
        services.volumes.revert(ctx, made, "x")

    def take() -> str:
        fields: dict[str, Any] = {"name": None, "description": None, "metadata": {}}
        return services.snapshots.create(ctx, made.id, in_use_allowed=True, **fields).id

    first, latest = take(), take()
    with pytest.raises(errors.InvalidVolume, match=latest):
        services.volumes.revert(ctx, made, first)
    with pytest.raises(errors.Conflict, match="Snapshot"):
        services.volumes.revert(ctx, made, latest)  # It is still being taken.
    in_use = put(idle, made, status="in-use")
    with pytest.raises(errors.Conflict, match="Volume"):
        services.volumes.revert(ctx, in_use, latest)
    grown = put(idle, made, size=9)
    with pytest.raises(errors.InvalidVolume, match="equal sizes"):
        services.volumes.revert(ctx, grown, latest)


def test_a_status_is_reset_to_what_makes_sense(start: Start) -> None:
    application = start()
    services, ctx = application.services, application.ctx(admin=True)
    made = create(application)
    application.settle()

    def reset(status: str) -> str:
        services.volumes.reset_status(
            ctx, made, status=status, attach_status=None, migration_status=None
        )
        return services.volumes.get(ctx, made.id).status

    for status in sorted(set(VOLUME.states) - {"in-use"}):
        if status in RESET_TARGETS:
            assert reset(status) == status
        else:
            with pytest.raises(errors.InvalidInput):
                reset(status)
    with pytest.raises(errors.InvalidInput, match="without attachments"):
        reset("in-use")
    application.database.transact(lambda tx: attachments.insert(tx, attachment(made.id)))
    assert reset("in-use") == "in-use"
    with pytest.raises(errors.InvalidInput):
        reset("nonsense")


def test_a_status_is_not_reset_under_an_operation(idle: Application) -> None:
    made = create(idle)
    with pytest.raises(errors.InvalidVolume, match="create_volume is at work"):
        idle.services.volumes.reset_status(
            idle.ctx(admin=True), made, status="error", attach_status=None, migration_status=None
        )


# ---- small changes ---------------------------------------------------------------------------


def test_changes_and_metadata(idle: Application) -> None:
    services, ctx = idle.services, idle.ctx()
    made = ready(idle)
    changed = services.volumes.update(
        ctx, made, changes={"display_name": "n", "metadata": {"a": "1"}}
    )
    assert (changed.display_name, changed.metadata) == ("n", {"a": "1"})
    assert services.volumes.set_metadata(ctx, made, {"b": "2"}, replace=False) == {
        "a": "1",
        "b": "2",
    }
    assert services.volumes.set_metadata(ctx, made, {"c": "3"}, replace=True) == {"c": "3"}
    services.volumes.delete_metadata(ctx, made, "c")
    with pytest.raises(errors.MetadataNotFound):
        services.volumes.delete_metadata(ctx, made, "c")
    services.volumes.set_bootable(ctx, made, True)
    services.volumes.set_readonly(ctx, made, True)
    found = services.volumes.get(ctx, made.id)
    assert found.bootable
    assert found.admin_metadata == {"readonly": "True"}
    with pytest.raises(errors.InvalidVolume):
        services.volumes.set_readonly(ctx, put(idle, made, status="in-use"), False)
    held = put(idle, made, status="maintenance")
    for act in (
        lambda: services.volumes.set_metadata(ctx, held, {}, replace=True),
        lambda: services.volumes.delete_metadata(ctx, held, "x"),
        lambda: services.volumes.update(ctx, held, changes={"display_name": "x"}),
        lambda: services.volumes.set_bootable(ctx, held, False),
    ):
        with pytest.raises(errors.InvalidVolume):
            act()
    assert table.name == "volumes"
