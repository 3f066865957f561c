"""The guests that tests run in, and how tests are dealt out to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from tests.vm_lab.hardware import Hardware

#: How many guests run at a time; each keeps one core busy.
GUESTS_AT_ONCE = 2
#: The usual number of tests that a second guest is worth starting for.
WORTH_A_GUEST = 12


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of guest: its hardware, and the number of such guests that tests may be dealt to.

    Below ``worth`` tests, further guests' starts take longer than they save.
    """

    hardware: Hardware
    guests: int = 1
    worth: int = WORTH_A_GUEST


#: A test asks for another than the default by ``@pytest.mark.guest("name")``.  The longest come
#: first, and there are more guests than run at a time, so that all cores have work to the end.
PROFILES = {
    "conformance": Profile(Hardware(disks=(12, 8)), guests=3, worth=1),
    "default": Profile(Hardware(disks=(8, 8)), guests=4),
    "fibre_channel": Profile(Hardware(disks=(6,), nic_pair=True)),
    "cgroup1": Profile(Hardware(disks=(6,), cgroup=1)),
}


@dataclass(frozen=True, slots=True)
class Share:
    """The tests of one guest, in their order."""

    name: str
    profile: Profile
    tests: list[pytest.Item]


def profile_of(item: pytest.Item) -> str:
    """The name of the profile that a test asks for. Raises ``pytest.UsageError``."""
    marker = item.get_closest_marker("guest")
    name = str(marker.args[0]) if marker else "default"
    if name not in PROFILES:
        raise pytest.UsageError(f"{item.nodeid}: no guest '{name}'; there are: {sorted(PROFILES)}")
    return name


def deal(items: Iterable[pytest.Item]) -> list[Share]:
    """Deal tests out to guests: by profile, and within one by module, evenly."""
    by_profile: dict[str, list[pytest.Item]] = {name: [] for name in PROFILES}
    for item in items:
        by_profile[profile_of(item)].append(item)
    shares: list[Share] = []
    for name, tests in by_profile.items():
        profile = PROFILES[name]
        parts = _parts(tests, profile)
        for number, part in enumerate(parts, start=1):
            suffix = f"-{number}" if len(parts) > 1 else ""
            shares.append(Share(name + suffix, profile, part))
    return shares


def _parts(tests: list[pytest.Item], profile: Profile) -> list[list[pytest.Item]]:
    """Modules stay whole, for the sake of what their tests share."""
    modules: dict[str, list[pytest.Item]] = {}
    for test in tests:
        modules.setdefault(test.nodeid.partition("::")[0], []).append(test)
    parts: list[list[pytest.Item]] = [
        [] for _ in range(profile.guests if len(tests) >= profile.worth else 1)
    ]
    for module in sorted(modules.values(), key=len, reverse=True):
        min(parts, key=len).extend(module)
    return [part for part in parts if part]
