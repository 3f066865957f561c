"""Chelsio's target as ``iscsictl`` shows it: its manual page and the guide's chapter on CHAP.

Kept from the real one: a file is blocks of ``key=value`` under ``target:``; a name that is not in
the file, a target without a device and one that is not active are refused; starting an active
target makes it take on what its file says now; a list of initiators without entries admits all.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from tests.simulators import program
from tests.simulators.program import Refusal

Settings = dict[str, list[str]]


def main(directory: Path, arguments: list[str]) -> int:
    state = program.load(directory, {"targets": {}, "loaded": True})
    if not state["loaded"]:
        raise Refusal(255, "ERROR: no chiscsi device, is the kernel module loaded?")
    options = dict(zip(arguments[::2], [*arguments[1::2], ""], strict=False))
    targets = state["targets"]
    if "-g" in options:
        print("iscsi_auth_order=ACL")
    elif "-S" in options:
        _start(targets, _named(options["-S"]), options)
    elif "-s" in options:
        if targets.pop(_named(options["-s"]), None) is None:
            raise Refusal(255, f"ERROR: Failed to remove target {_named(options['-s'])}!")
    elif "-c" in options:
        _show(targets, _named(options["-c"]))
    else:
        raise Refusal(255, f"ERROR: Unrecognized option {arguments[:1]}.")
    program.store(directory, state)
    return 0


def _named(text: str) -> str:
    key, equals, name = text.partition("=")
    if key != "target" or not equals:
        raise Refusal(255, f"ERROR: unknown key {text}.")
    return name


def _start(targets: dict[str, Any], name: str, options: dict[str, str]) -> None:
    if not Path(options["-x"]).exists():
        raise Refusal(255, f'Error: File "{options["-x"]}" cannot be opened!')
    settings = _read(options["-f"]).get(name)
    if settings is None:
        raise Refusal(237, f"ERROR: target name {name} NOT found.")
    device = settings.get("TargetDevice", [""])[0]
    if not os.path.exists(device) or "PortalGroup" not in settings:
        raise Refusal(255, f"ERROR: Failed to start target {name}!")
    had = targets.get(name, {})
    size = had.get("size") or os.stat(device).st_size
    targets[name] = {"settings": settings, "size": size}


def _read(path: str) -> dict[str, Settings]:
    found: dict[str, Settings] = {}
    block: Settings | None = None
    for raw in Path(path).read_text().splitlines():
        line = raw.split("#", 1)[0].strip()
        if line.endswith(":"):
            block = {}
        elif line:
            key, equals, value = line.partition("=")
            if block is None or not equals:
                raise Refusal(255, f'{path}: "{line}" invalid format!')
            block.setdefault(key.strip(), []).append(value.strip())
            if key == "TargetName":
                found[value.strip().lower()] = block
    return found


def _show(targets: dict[str, Any], name: str) -> None:
    if name not in targets:
        raise Refusal(255, f"ERROR: target {name} not found.")
    number = list(targets).index(name) + 1
    print(f"target: {name}, id={number}, login_ip=ALL")
    for key, values in targets[name]["settings"].items():
        if not key.startswith("Auth_CHAP_Init"):
            for value in values:
                print(f"    {key}={value}")


# ---- what initiators and tests see -------------------------------------------------------------


def restart(directory: Path) -> None:
    program.store(directory, {"targets": {}, "loaded": True})


def login(directory: Path, iqn: str, initiator: str, account: str) -> str:
    """The path behind LUN 0.  ``PermissionError`` if the login is refused."""
    target = program.load(directory, {"targets": {}})["targets"].get(iqn)
    if target is None:
        raise PermissionError("no such target")
    settings: Settings = target["settings"]
    admitted = {value.removeprefix("iname=") for value in settings.get("ACL", [])}
    if admitted and initiator not in admitted:
        raise PermissionError("not on the list")
    accounts = {
        re.sub(r'"([^"]*)":"([^"]*)"', r"\1 \2", a) for a in settings["Auth_CHAP_Initiator"]
    }
    if settings.get("AuthMethod") == ["CHAP"] and account not in accounts:
        raise PermissionError("wrong account")
    return settings["TargetDevice"][0]


def size(directory: Path, iqn: str) -> int:
    """The size that initiators are told."""
    found: int = program.load(directory, {})["targets"][iqn]["size"]
    return found
