"""SCST as ``scstadmin`` shows it: scstadmin(1), scst.conf(5), the program's own tests.

Kept from the real one: ``-config`` without ``-force`` adds and never removes and sets ``enabled``
last; commands that remove ask back unless ``-noprompt`` is given; the initiator of two groups of
one target, an unknown object and a device in use are refused; complaints go to standard output;
``-write_config`` truncates the file that is there.
"""

from __future__ import annotations

import fnmatch
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulators import program
from tests.simulators.program import Refusal

State = dict[str, Any]

_HANDLERS = ("vdisk_fileio", "vdisk_blockio")
_ASKING = {"-rem_lun", "-rem_init", "-rem_group", "-rem_target", "-close_dev", "-disable_target"}
_FLAGS = {"-noprompt", "-force", "-list_driver"}


def empty() -> State:
    return {
        "handlers": {handler: {} for handler in _HANDLERS},
        "iscsi": {"enabled": "0", "targets": {}},
    }


def main(directory: Path, arguments: list[str]) -> int:
    options = _options(arguments)
    state = program.load(directory, empty())
    print("\nCollecting current configuration: done.\n")
    if (asked := _ASKING & options.keys()) and "-noprompt" not in options:
        print(f"Performing this action ({asked.pop()}) may result in lost or corrupt data")
        if sys.stdin.readline().strip() != "y":
            print("Aborting action.")
            return 0
    for name, command in _COMMANDS.items():
        if name in options:
            command(state, options)
            program.store(directory, state)
            print("\nAll done.")
            return 0
    print("No valid operations specified.")
    return 1


def _options(arguments: list[str]) -> dict[str, str]:
    options, rest = {}, list(arguments)
    while rest:
        name = rest.pop(0)
        options[name] = "" if name in _FLAGS else rest.pop(0)
    return options


def _refuse(message: str) -> None:
    print(f"\nWARNING: Received the following error:\n\n\t{message}\n")
    raise Refusal(1, "")


# ---- what initiators and tests see -------------------------------------------------------------


def seen(directory: Path, iqn: str, initiator: str, account: str) -> dict[int, str]:
    """The paths by LUN that an initiator finds; ``PermissionError`` if the login is refused."""
    state = program.load(directory, empty())
    target = state["iscsi"]["targets"].get(iqn)
    if target is None or "1" not in target["enabled"] or state["iscsi"]["enabled"] != "1":
        raise PermissionError("no such target")
    if target["users"] and account not in target["users"]:
        raise PermissionError("wrong account")
    place = target
    for group in target["groups"].values():
        if any(fnmatch.fnmatch(initiator, pattern) for pattern in group["initiators"]):
            place = group
    devices = {n: d for handler in state["handlers"].values() for n, d in handler.items()}
    return {int(lun): devices[name]["filename"] for lun, name in place["luns"].items()}


def size(directory: Path, name: str) -> int:
    """The size of a device that initiators are told."""
    state = program.load(directory, empty())
    found: int = next(h[name]["size"] for h in state["handlers"].values() if name in h)
    return found


def restart(directory: Path) -> None:
    """The machine starts anew, and its configuration was lost."""
    program.store(directory, empty())


# ---- commands ----------------------------------------------------------------------------------


def _target(state: State, options: dict[str, str]) -> State:
    targets = state["iscsi"]["targets"]
    if options.get("-driver") != "iscsi" or options.get("-target") not in targets:
        _refuse("The specified target or driver does not exist")
    found: State = targets[options["-target"]]
    return found


def _place(state: State, options: dict[str, str]) -> State:
    target = _target(state, options)
    if "-group" not in options:
        return target
    if options["-group"] not in target["groups"]:
        _refuse("No such group exists")
    found: State = target["groups"][options["-group"]]
    return found


def _list_driver(state: State, options: dict[str, str]) -> None:
    print("\tDriver\n\t------\n\tcopy_manager\n\tiscsi\n")


def _rem_lun(state: State, options: dict[str, str]) -> None:
    luns = _place(state, options)["luns"]
    if options["-rem_lun"] not in luns:
        _refuse("No such LUN exists")
    del luns[options["-rem_lun"]]


def _rem_init(state: State, options: dict[str, str]) -> None:
    initiators = _place(state, options)["initiators"]
    if options["-rem_init"] not in initiators:
        _refuse("No such initiator exists")
    initiators.remove(options["-rem_init"])


def _rem_group(state: State, options: dict[str, str]) -> None:
    groups = _target(state, options)["groups"]
    group = groups.get(options["-rem_group"])
    if group is None or group["luns"] or group["initiators"]:
        _refuse("Group is unknown, or has initiators or LUNs assigned to it")
    del groups[options["-rem_group"]]


def _rem_target(state: State, options: dict[str, str]) -> None:
    _target(state, {**options, "-target": options["-rem_target"]})
    del state["iscsi"]["targets"][options["-rem_target"]]


def _disable_target(state: State, options: dict[str, str]) -> None:
    _target(state, {**options, "-target": options["-disable_target"]})["enabled"] = ["0"]


def _close_dev(state: State, options: dict[str, str]) -> None:
    name, devices = options["-close_dev"], state["handlers"].get(options["-handler"], {})
    if name not in devices:
        _refuse("No such device exists")
    targets = state["iscsi"]["targets"].values()
    places = [place for t in targets for place in (t, *t["groups"].values())]
    if any(name in place["luns"].values() for place in places):
        _refuse("Device in use")
    del devices[name]


def _resync_dev(state: State, options: dict[str, str]) -> None:
    name = options["-resync_dev"]
    for devices in state["handlers"].values():
        if name in devices:
            devices[name]["size"] = os.stat(devices[name]["filename"]).st_size
            return
    _refuse("No such device exists")


# ---- configuration files -----------------------------------------------------------------------


def _write_config(state: State, options: dict[str, str]) -> None:
    lines = ["# Automatically generated by SCST Configurator v3.\n\n"]
    for handler, devices in state["handlers"].items():
        if devices:
            lines.append(f"HANDLER {handler} {{\n")
            for name, device in devices.items():
                lines += [f"\tDEVICE {name} {{\n", f"\t\tfilename {device['filename']}\n"]
                lines += [f"\t\tsize {device['size']}\n", "\t}\n\n"]
            lines.append("}\n\n")
    lines += ["TARGET_DRIVER iscsi {\n", f"\tenabled {state['iscsi']['enabled']}\n\n"]
    for iqn, target in state["iscsi"]["targets"].items():
        lines.append(f"\tTARGET {iqn} {{\n")
        lines += [f'\t\tIncomingUser "{user}"\n' for user in target["users"]]
        lines += [f"\t\tenabled {value}\n" for value in target["enabled"]]
        lines += ["\t\trel_tgt_id 1\n\n", *_luns(target, "\t\t")]
        for name, group in target["groups"].items():
            lines += [f"\t\tGROUP {name} {{\n", *_luns(group, "\t\t\t")]
            lines += [f"\t\t\tINITIATOR {initiator}\n" for initiator in group["initiators"]]
            lines.append("\t\t}\n\n")
        lines.append("\t}\n\n")
    lines.append("}\n")
    Path(options["-write_config"]).write_text("".join(lines))


def _luns(place: State, indent: str) -> list[str]:
    return [f"{indent}LUN {lun} {name}\n" for lun, name in place["luns"].items()]


def _config(state: State, options: dict[str, str]) -> None:
    for words, children in _parse(options["-config"]):
        if words[0] == "HANDLER":
            for device, attributes in children:
                _open(state["handlers"][words[1]], device[1], dict(a for a, _ in attributes))
        elif words == ["TARGET_DRIVER", "iscsi"]:
            for entry, content in children:
                if entry[0] == "TARGET":
                    _apply_target(state, entry[1], content)
            enabled = [entry[1] for entry, _ in children if entry[0] == "enabled"]
            state["iscsi"]["enabled"] = (enabled or [state["iscsi"]["enabled"]])[0]


def _open(devices: State, name: str, attributes: dict[str, str]) -> None:
    path = attributes["filename"]
    if not os.path.exists(path):
        _refuse(f"Unable to open device '{name}'")
    devices.setdefault(name, {"filename": path, "size": os.stat(path).st_size})


def _apply_target(state: State, iqn: str, content: list[Any]) -> None:
    fresh: State = {"users": [], "enabled": ["0"], "luns": {}, "groups": {}}
    target = state["iscsi"]["targets"].setdefault(iqn, fresh)
    for entry, children in content:
        if entry[0] == "IncomingUser" and entry[1] not in target["users"]:
            if len(entry[1].split()[1]) < 12:
                _refuse("IncomingUser secret is too short")
            target["users"].append(entry[1])
        elif entry[0] == "GROUP":
            group = target["groups"].setdefault(entry[1], {"luns": {}, "initiators": []})
            for words, _ in children:
                _apply_member(state, target, group, words)
    target["enabled"] = [entry[1] for entry, _ in content if entry[0] == "enabled"]


def _apply_member(state: State, target: State, group: State, words: list[str]) -> None:
    if words[0] == "LUN":
        if not any(words[2] in devices for devices in state["handlers"].values()):
            _refuse(f"No such device '{words[2]}' exists")
        group["luns"].setdefault(words[1], words[2])
    elif words[1] not in group["initiators"]:
        if any(words[1] in other["initiators"] for other in target["groups"].values()):
            print(f"\t-> FATAL: Initiator '{words[1]}' belongs to more than one groups, aborting.")
            raise Refusal(1, "")
        group["initiators"].append(words[1])


def _parse(path: str) -> list[tuple[list[str], list[Any]]]:
    stack: list[list[tuple[list[str], list[Any]]]] = [[]]
    for line in Path(path).read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words == ["}"]:
            stack.pop()
        elif words and words[-1] == "{":
            children: list[Any] = []
            stack[-1].append((words[:-1], children))
            stack.append(children)
        elif words:
            stack[-1].append((words, []))
    return stack[0]


_COMMANDS: dict[str, Callable[[State, dict[str, str]], None]] = {
    "-config": _config,
    "-write_config": _write_config,
    "-list_driver": _list_driver,
    "-rem_lun": _rem_lun,
    "-rem_init": _rem_init,
    "-rem_group": _rem_group,
    "-rem_target": _rem_target,
    "-disable_target": _disable_target,
    "-close_dev": _close_dev,
    "-resync_dev": _resync_dev,
}
