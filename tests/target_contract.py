"""What every target promises, as tests that run against any of them.

A subclass gives the fixture ``lab``; ``TargetContract`` asks what even a target that offers
nothing keeps, ``OfferingContract`` what consumers can see.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.targets.errors import TargetError, TargetPauseFailed, TargetUpdateFailed
from breezeblock.targets.interface import Connector, Target

MIB = 1024**2

#: The keys that each kind of connection info has at least.
_KEYS = {
    "iscsi": {"target_discovered", "target_portal", "target_iqn", "target_lun", "volume_id"},
    "nvmeof": {"ns_id"},
    "fibre_channel": {"target_discovered", "target_lun", "target_wwn", "initiator_target_map"},
}
_KEYS["iser"] = _KEYS["iscsi"]


def host(number: int) -> dict[str, Any]:
    """A consumer that says all that any target may want to know."""
    return {
        "initiator": f"iqn.1994-05.com.example:host{number}",
        "nqn": f"nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-{number:012d}",
        "ip": f"192.0.2.{number}",
        "host": f"host{number}",
        "wwpns": [f"10000090fa0d{number:04x}"],
        "wwnns": [f"20000090fa0d{number:04x}"],
        "multipath": False,
    }


class Lab(ABC):
    """A target with what it works on and those who look at it."""

    #: Whether only those get in who were admitted by ``initialize_connection``.
    admits_by_consumer = True
    #: Whether a secret has to be told.
    has_chap = True
    #: Whether ``paused`` and ``extend_target`` work under consumers.
    holds_back = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.target = self.start()

    @abstractmethod
    def start(self) -> Target:
        """A target as a freshly started service has it; what is exported stays so."""

    @abstractmethod
    def forget(self) -> None:
        """The daemon or the machine starts anew and offers nothing."""

    @abstractmethod
    def reach(self, volume: Volume, connector: Connector) -> int:
        """The size in bytes that a consumer sees who logs in with what is on the volume's record.

        Raises ``PermissionError`` if it is refused.
        """

    def leave(self, connector: Connector) -> None:  # noqa: B027 - optional
        """End what ``reach`` left open for this consumer."""

    def command_lines(self) -> str:
        """All that stood on command lines."""
        return ""

    def file(self, name: str, size: int = 4 * MIB) -> Path:
        path = self.directory / f"{name}.img"
        with path.open("ab") as file:
            file.truncate(size)
        return path

    def export(self, volume: Volume | None = None) -> tuple[Volume, Path]:
        """A volume that is exported, with its record as the store has it then."""
        volume = volume or new_volume()
        path = self.file(volume.name)
        model = self.target.create_export(volume, str(path))
        assert model is not None
        return dataclasses.replace(volume, **model), path  # type: ignore[arg-type]

    def refuses(self, volume: Volume, connector: Connector) -> bool:
        try:
            self.reach(volume, connector)
        except PermissionError:
            return True
        self.leave(connector)
        return False

    @contextmanager
    def attached(self, volume: Volume, connector: Connector) -> Iterator[None]:
        self.target.initialize_connection(volume, connector)
        yield
        self.leave(connector)
        self.target.terminate_connection(volume, connector)


def new_volume(**fields: object) -> Volume:
    record = Volume(id=str(uuid.uuid4()), project_id="p", user_id="u", size=1, status="available")
    return dataclasses.replace(record, **fields)  # type: ignore[arg-type]


class TargetContract:
    """For every target."""

    def test_creating_twice_is_creating_once(self, lab: Lab) -> None:
        volume, path = lab.export()
        bare = dataclasses.replace(volume, provider_location=None)
        again = lab.target.create_export(bare, str(path))
        assert again is not None
        assert again["provider_location"] == volume.provider_location
        assert lab.target.ensure_export(volume, str(path)) == again

    def test_what_is_unknown_is_gone(self, lab: Lab) -> None:
        stranger = new_volume()
        for _ in range(2):
            lab.target.remove_export(stranger)
            assert lab.target.terminate_connection(stranger, host(1)) is False
        lab.target.extend_target(stranger, "/nonexistent")
        with lab.target.paused(stranger.name, "/nonexistent"):
            assert lab.target.is_exported(stranger.name) is False

    def test_connection_info_has_its_shape(self, lab: Lab) -> None:
        volume, _ = lab.export()
        info = lab.target.initialize_connection(volume, host(1))
        assert set(info) == {"driver_volume_type", "data"}
        assert info["data"].keys() >= _KEYS[info["driver_volume_type"]]
        assert lab.target.initialize_connection(volume, host(1)) == info

    def test_a_consumer_that_says_nothing_is_invalid(self, lab: Lab) -> None:
        volume, _ = lab.export()
        with pytest.raises(InvalidConnector):
            lab.target.validate_connector({"host": "one"})
        with pytest.raises(InvalidConnector):
            lab.target.initialize_connection(volume, {"host": "one"})

    def test_who_is_who(self, lab: Lab) -> None:
        assert lab.target.are_same_connector(host(1), host(1))
        assert not lab.target.are_same_connector(host(1), host(2))
        assert not lab.target.are_same_connector({}, {})

    def test_the_export_stays_for_those_who_stay(self, lab: Lab) -> None:
        volume, _ = lab.export()
        for connector in (host(1), host(2)):
            lab.target.initialize_connection(volume, connector)
        end = lab.target.terminate_connection
        assert end(volume, host(1), others=[host(2)]) is True
        assert end(volume, host(2)) is False
        assert end(volume, host(2), force=True) is False
        assert end(volume, None) is False

    def test_a_secret_on_record_is_kept(self, lab: Lab) -> None:
        if lab.has_chap:
            volume = new_volume(provider_auth="CHAP someone sixteencharacter")
            exported, _ = lab.export(volume)
            assert exported.provider_auth == volume.provider_auth


class OfferingContract(TargetContract):
    """For targets that consumers can reach."""

    def test_an_admitted_consumer_gets_in(self, lab: Lab) -> None:
        volume, _ = lab.export()
        assert lab.target.is_exported(volume.name)
        assert lab.target.list_exports() == [volume.name]
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 4 * MIB

    def test_nobody_else_gets_in(self, lab: Lab) -> None:
        volume, _ = lab.export()
        if lab.admits_by_consumer:
            assert lab.refuses(volume, host(1))
            with lab.attached(volume, host(1)):
                assert lab.refuses(volume, host(2))
            assert lab.refuses(volume, host(1))

    def test_a_secret_is_needed(self, lab: Lab) -> None:
        volume, _ = lab.export()
        other, _ = lab.export()
        if lab.has_chap:
            user, secret = str(volume.provider_auth).split()[1:]
            assert len(secret) >= 12
            with lab.attached(volume, host(1)):
                for auth in (f"CHAP {user} wrongwrongwrong1", f"CHAP wrong {secret}"):
                    assert lab.refuses(dataclasses.replace(volume, provider_auth=auth), host(1))
                stolen = dataclasses.replace(volume, provider_auth=other.provider_auth)
                assert lab.refuses(stolen, host(1)) is (volume.provider_auth != other.provider_auth)

    def test_no_secret_on_command_lines_or_in_logs(
        self, lab: Lab, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        volume, path = lab.export()
        with lab.attached(volume, host(1)):
            lab.target.create_export(volume, str(path))
        lab.target.remove_export(volume)
        if lab.has_chap:
            secret = str(volume.provider_auth).split()[2]
            assert secret not in caplog.text
            assert secret not in lab.command_lines()

    def test_one_of_two_attachments_of_a_host_ends(self, lab: Lab) -> None:
        volume, _ = lab.export()
        with lab.attached(volume, host(1)):
            assert lab.target.terminate_connection(volume, host(1), others=[host(1)]) is True
            assert lab.reach(volume, host(1)) == 4 * MIB
            lab.leave(host(1))

    def test_all_consumers_are_sent_away(self, lab: Lab) -> None:
        volume, _ = lab.export()
        for connector in (host(1), host(2)):
            lab.target.initialize_connection(volume, connector)
        lab.target.terminate_connection(volume, None, force=True)
        if lab.admits_by_consumer:
            assert lab.refuses(volume, host(1))
            assert lab.refuses(volume, host(2))

    def test_creating_again_keeps_consumers_in(self, lab: Lab) -> None:
        volume, path = lab.export()
        with lab.attached(volume, host(1)):
            lab.start().create_export(volume, str(path))
            assert lab.reach(volume, host(1)) == 4 * MIB

    def test_removal_ends_it_also_under_consumers(self, lab: Lab) -> None:
        volume, _ = lab.export()
        lab.target.initialize_connection(volume, host(1))
        assert lab.reach(volume, host(1)) == 4 * MIB
        for _ in range(2):
            lab.start().remove_export(volume)
            assert lab.refuses(volume, host(1))
            assert lab.target.list_exports() == []
        volume, _ = lab.export(volume)
        with lab.attached(volume, host(2)):
            assert lab.reach(volume, host(2)) == 4 * MIB
            if lab.admits_by_consumer:
                assert lab.refuses(volume, host(1))

    def test_two_volumes_are_two(self, lab: Lab) -> None:
        one, _ = lab.export()
        lab.file("larger", 8 * MIB)
        two = new_volume()
        model = lab.target.create_export(two, str(lab.file(two.name, 8 * MIB)))
        assert model is not None
        two = dataclasses.replace(two, **model)  # type: ignore[arg-type]
        with lab.attached(one, host(1)), lab.attached(two, host(2)):
            assert lab.reach(one, host(1)) == 4 * MIB
            assert lab.reach(two, host(2)) == 8 * MIB
            lab.target.remove_export(one)
            lab.leave(host(2))
            assert lab.reach(two, host(2)) == 8 * MIB

    def test_another_path_takes_the_place(self, lab: Lab) -> None:
        volume, _ = lab.export()
        moved = lab.file(f"{volume.name}-moved", 8 * MIB)
        model = lab.target.create_export(volume, str(moved))
        assert model is not None
        volume = dataclasses.replace(volume, **model)  # type: ignore[arg-type]
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 8 * MIB

    def test_exports_come_back(self, lab: Lab) -> None:
        volume, path = lab.export()
        lab.export()
        lab.target.initialize_connection(volume, host(1))
        assert lab.target.restore() == 0
        lab.forget()
        fresh = lab.start()
        assert fresh.restore() == 2
        assert fresh.restore() == 0
        assert lab.reach(volume, host(1)) == 4 * MIB
        model = fresh.ensure_export(volume, str(path))
        assert model is not None
        assert model["provider_location"] == volume.provider_location
        if lab.admits_by_consumer:
            assert lab.refuses(volume, host(2))

    def test_a_lost_path_does_not_keep_the_others_down(self, lab: Lab) -> None:
        lost, path = lab.export()
        volume, _ = lab.export()
        lab.target.initialize_connection(volume, host(1))
        path.unlink()
        lab.forget()
        fresh = lab.start()
        fresh.restore()
        assert lab.reach(volume, host(1)) == 4 * MIB
        fresh.remove_export(lost)
        assert fresh.list_exports() == [volume.name]

    def test_growth_without_consumers(self, lab: Lab) -> None:
        volume, path = lab.export()
        os.truncate(path, 8 * MIB)
        lab.target.extend_target(volume, str(path))
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 8 * MIB

    def test_growth_under_consumers_is_seen_or_refused(self, lab: Lab) -> None:
        volume, path = lab.export()
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 4 * MIB
            os.truncate(path, 8 * MIB)
            try:
                lab.target.extend_target(volume, str(path))
            except TargetUpdateFailed:
                assert not lab.holds_back
                assert lab.reach(volume, host(1)) == 4 * MIB
            else:
                assert lab.reach(volume, host(1)) == 8 * MIB
        lab.target.extend_target(volume, str(path))
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 8 * MIB

    def test_a_pause_without_consumers(self, lab: Lab) -> None:
        volume, path = lab.export()
        with lab.target.paused(volume.name, str(path)):
            os.truncate(path, 8 * MIB)
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 8 * MIB

    def test_a_pause_under_consumers_holds_or_is_refused(self, lab: Lab) -> None:
        volume, path = lab.export()
        with lab.attached(volume, host(1)):
            assert lab.reach(volume, host(1)) == 4 * MIB
            if lab.holds_back:
                with lab.target.paused(volume.name, str(path)):
                    pass
            else:
                with (
                    pytest.raises(TargetPauseFailed),
                    lab.target.paused(volume.name, str(path)),
                ):
                    pytest.fail("the block must not run")
            assert lab.reach(volume, host(1)) == 4 * MIB

    def test_many_workers(self, lab: Lab) -> None:
        volumes: list[Volume] = []
        failures: list[BaseException] = []

        def work(target: Target) -> None:
            try:
                for _ in range(2):
                    volume = new_volume()
                    model = target.create_export(volume, str(lab.file(volume.name)))
                    assert model is not None
                    volumes.append(dataclasses.replace(volume, **model))  # type: ignore[arg-type]
            except BaseException as failure:
                failures.append(failure)

        run_all([lambda: work(lab.start()) for _ in range(3)])
        assert not failures
        assert lab.target.list_exports() == sorted(volume.name for volume in volumes)
        assert len({volume.provider_location for volume in volumes}) == len(volumes)
        for volume in volumes:
            with lab.attached(volume, host(1)):
                assert lab.reach(volume, host(1)) == 4 * MIB
        run_all([lambda v=v: lab.start().remove_export(v) for v in volumes])  # type: ignore[misc]
        assert lab.target.list_exports() == []

    def test_names_that_are_none(self, lab: Lab) -> None:
        for name_id in ("../x", "a/b", "a\nb"):
            with pytest.raises(TargetError):
                lab.target.create_export(new_volume(name_id=name_id), str(lab.file("x")))


def run_all(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
