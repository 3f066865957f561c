"""The driver's methods have the shape of the contract, and its abilities are what they seem."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from breezeblock.conformance.bench import broken
from breezeblock.drivers.abilities import ABILITIES, Ability, is_implemented
from breezeblock.drivers.interface import VolumeDriver

#: Every public method of the contract.
METHODS = sorted(
    name
    for name, value in inspect.getmembers(VolumeDriver, inspect.isfunction)
    if not name.startswith("_")
)
PLACEHOLDERS = [name for name in METHODS if not is_implemented(VolumeDriver, name)]
#: The abilities that a driver has by having their methods.
BY_METHODS: dict[str, type[Ability]] = {
    name: ability
    for name, ability in sorted(ABILITIES.items())
    if issubclass(ability, Ability) and ability.METHODS
}
#: What no driver can do without.
MANDATORY = (
    "check_for_setup_error",
    "create_volume",
    "delete_volume",
    "create_snapshot",
    "delete_snapshot",
    "create_volume_from_snapshot",
    "ensure_export",
    "create_export",
    "remove_export",
    "initialize_connection",
    "terminate_connection",
)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


@pytest.mark.parametrize("name", METHODS)
def test_signature(driver: VolumeDriver, name: str) -> None:
    """The service passes arguments by position, options (``force``, ``others``) by name."""
    contract = _parameters(getattr(VolumeDriver, name))[1:]
    if isinstance(inspect.getattr_static(VolumeDriver, name), staticmethod):
        contract = _parameters(getattr(VolumeDriver, name))
    found = inspect.signature(getattr(driver, name))
    positional = [p for p in contract if p.kind is p.POSITIONAL_OR_KEYWORD]
    by_name = {p.name: None for p in contract if p.kind is p.KEYWORD_ONLY}
    if any(p.kind is p.VAR_KEYWORD for p in contract) and name.startswith("terminate"):
        by_name |= {"force": None, "others": None}
    needed = [p for p in positional if p.default is p.empty]
    for arguments in (needed, positional):
        try:
            found.bind(*arguments, **by_name)
        except TypeError as failure:
            wanted = inspect.signature(getattr(VolumeDriver, name))
            broken(f"{name}{wanted}", f"the driver's is {name}{found}: {failure}")


@pytest.mark.parametrize("name", MANDATORY)
def test_mandatory_method(driver: VolumeDriver, name: str) -> None:
    if not is_implemented(type(driver), name):
        broken(f"every driver implements {name}")


def test_what_is_left_out_says_so(driver: VolumeDriver) -> None:
    for name in PLACEHOLDERS:
        if not is_implemented(type(driver), name):
            _expect_not_implemented(getattr(driver, name))


def _expect_not_implemented(method: Callable[..., Any]) -> None:
    __tracebackhide__ = True
    needed = [p for p in _parameters(method) if p.default is p.empty]
    try:
        method(*[None for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD])
    except NotImplementedError:
        return
    name = method.__name__
    broken(f"{name}, which the driver leaves out, raises NotImplementedError")


@pytest.mark.parametrize("name", BY_METHODS)
def test_ability_is_found_by_its_methods(driver: VolumeDriver, name: str) -> None:
    ability = BY_METHODS[name]
    has = {method: is_implemented(type(driver), method) for method in ability.METHODS}
    if isinstance(driver, ability) != all(has.values()):
        broken(f"the ability {name} is there exactly if its methods are", str(has))
    # A hook that does nothing is there in every driver and says nothing.
    own = [has[method] for method in has if not is_implemented(VolumeDriver, method)]
    if any(own) and not all(own):
        missing = ", ".join(method for method, there in has.items() if not there)
        broken(f"the ability {name} is whole or absent", f"missing: {missing}")
