"""How tests are dealt out to guests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.vm_lab.hardware import Hardware
from tests.vm_lab.profiles import PROFILES, WORTH_A_GUEST, deal
from tests.vm_lab.remote import lab_options


class Sample(pytest.Item):
    """A test that is dealt, never run."""

    def runtest(self) -> None:
        raise AssertionError(self)


@pytest.fixture
def module(request: pytest.FixtureRequest) -> pytest.Module:
    found = request.node.getparent(pytest.Module)
    assert isinstance(found, pytest.Module)
    return found


def sample(parent: pytest.Module, path: str, name: str, guest: str | None = None) -> pytest.Item:
    item: pytest.Item = Sample.from_parent(parent, name=name, nodeid=f"{path}::{name}")
    item.path = Path(path)
    if guest is not None:
        item.add_marker(pytest.mark.guest(guest))
    return item


def test_few_tests_share_one_guest_of_each_profile(module: pytest.Module) -> None:
    items = [
        sample(module, "a.py", "test_1"),
        sample(module, "a.py", "test_2", "cgroup1"),
        sample(module, "b.py", "test_3"),
    ]
    dealt = {share.name: [test.name for test in share.tests] for share in deal(items)}
    assert dealt == {"default": ["test_1", "test_3"], "cgroup1": ["test_2"]}


def test_many_tests_are_dealt_to_several_guests_by_whole_modules(module: pytest.Module) -> None:
    sizes = {"a.py": WORTH_A_GUEST, "b.py": 3, "c.py": 4}
    items = [sample(module, path, f"test_{n}") for path, size in sizes.items() for n in range(size)]
    dealt = {
        share.name: [test.nodeid.partition("::")[0] for test in share.tests]
        for share in deal(items)
    }
    assert list(dealt) == ["default-1", "default-2", "default-3"]
    assert dealt["default-1"] == ["a.py"] * WORTH_A_GUEST
    assert dealt["default-2"] == ["c.py"] * 4
    assert dealt["default-3"] == ["b.py"] * 3


def test_a_profile_may_give_every_module_a_guest(module: pytest.Module) -> None:
    items = [sample(module, f"{name}.py", "test_it", "conformance") for name in "ab"]
    assert [share.name for share in deal(items)] == ["conformance-1", "conformance-2"]


def test_one_module_is_never_split(module: pytest.Module) -> None:
    items = [sample(module, "a.py", f"test_{n}") for n in range(3 * WORTH_A_GUEST)]
    assert [len(share.tests) for share in deal(items)] == [3 * WORTH_A_GUEST]


def test_an_unknown_guest_is_refused(module: pytest.Module) -> None:
    with pytest.raises(pytest.UsageError, match="no guest 'mainframe'"):
        deal([sample(module, "a.py", "test_1", "mainframe")])


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_a_scratch_disk(name: str) -> None:
    assert PROFILES[name].hardware.disks


def test_hardware_as_options() -> None:
    hardware = Hardware(disks=(6, 0.5), nic_pair=True, cgroup=1, modules=("nvmet",))
    assert lab_options(hardware) == [
        "--disk=6",
        "--disk=0.5",
        "--module=nvmet",
        "--mem=2048",
        "--cpus=1",
        "--cgroup=1",
        "--nic-pair",
    ]
