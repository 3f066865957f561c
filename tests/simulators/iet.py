"""IET as ``ietadm`` and ``/proc/net/iet`` show it: ietadm(8), ietd's rules of who may enter.

Kept from the real one: it ends with a negative errno as one byte and says the errno last on
standard error; a target with sessions is busy; a unit or an account that is there exists; units
cannot be changed; ``initiators.deny`` and ``initiators.allow`` are read at every login, and the
first line that names the target (or ALL) decides.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from pathlib import Path
from typing import Any

from tests.simulators import program
from tests.simulators.program import Refusal

State = dict[str, Any]


def main(directory: Path, arguments: list[str]) -> int:
    if not (directory / "proc").is_dir():
        raise _error(errno.ECONNREFUSED)
    state = program.load(directory, {})
    options = _options(arguments)
    operation, tid = options["op"], options.get("tid", "0")
    if "user" in options:
        _account(state, operation, tid, options["params"])
    elif "lun" in options:
        _unit(state, operation, tid, options)
    elif "cid" in options:
        _connection(state, operation, tid, options)
    else:
        _target(state, operation, tid, options.get("params", ""))
    _save(directory, state)
    return 0


def _options(arguments: list[str]) -> dict[str, str]:
    options, rest = {}, list(arguments)
    while rest:
        name, equals, value = rest.pop(0).removeprefix("--").partition("=")
        if name == "user":
            options[name] = ""
        elif name in {"op", "tid", "lun", "sid", "cid", "params"}:
            options[name] = value if equals else rest.pop(0)
        else:
            raise Refusal(255, f"unrecognized: --{name}")
    return options


def _error(number: int) -> Refusal:
    return Refusal(256 - number, f"ietd_request 235 1 -{number}")


def _find(state: State, tid: str) -> State:
    if tid not in state:
        raise _error(errno.ENOENT)
    found: State = state[tid]
    return found


def _target(state: State, operation: str, tid: str, parameters: str) -> None:
    if operation == "new":
        name = parameters.removeprefix("Name=")
        if tid in state or any(target["name"] == name for target in state.values()):
            raise _error(errno.EEXIST)
        state[tid] = {"name": name, "units": {}, "users": {}, "sessions": []}
    elif operation == "delete":
        if _find(state, tid)["sessions"]:
            raise _error(errno.EBUSY)
        del state[tid]
    else:
        raise Refusal(256 - errno.EINVAL, "Unsupported.")


def _unit(state: State, operation: str, tid: str, options: dict[str, str]) -> None:
    units, lun = _find(state, tid)["units"], options["lun"]
    if operation == "delete":
        if lun not in units:
            raise _error(errno.ENOENT)
        del units[lun]
    elif operation == "new":
        if lun in units:
            raise _error(errno.EEXIST)
        parameters = dict(part.split("=", 1) for part in options["params"].split(","))
        if not os.path.exists(parameters["Path"]):
            raise _error(errno.ENOENT)
        size = os.stat(parameters["Path"]).st_size
        units[lun] = {"path": parameters["Path"], "type": parameters["Type"], "size": size}
    else:
        raise Refusal(256 - errno.EINVAL, "Unsupported.")


def _account(state: State, operation: str, tid: str, text: str) -> None:
    users = _find(state, tid)["users"]
    parameters = dict(part.split("=", 1) for part in text.split(","))
    user = parameters["IncomingUser"]
    if operation == "new":
        if user in users:
            raise _error(errno.EEXIST)
        users[user] = parameters["Password"]
    elif users.pop(user, None) is None:
        raise _error(errno.ENOENT)


def _connection(state: State, operation: str, tid: str, options: dict[str, str]) -> None:
    sessions = _find(state, tid)["sessions"]
    wanted = [s for s in sessions if str(s["sid"]) == options["sid"]]
    if operation != "delete" or not wanted:
        raise _error(errno.ENOENT)
    sessions.remove(wanted[0])


def _save(directory: Path, state: State) -> None:
    program.store(directory, state)
    volume = session = ""
    for tid, target in state.items():
        head = f"tid:{tid} name:{target['name']}\n"
        volume += head
        for lun, unit in target["units"].items():
            volume += (
                f"\tlun:{lun} state:0 iotype:{unit['type']} iomode:wt "
                f"blocks:{unit['size'] // 512} blocksize:512 path:{unit['path']}\n"
            )
        session += head
        for one in target["sessions"]:
            session += f"\tsid:{one['sid']} initiator:{one['initiator']}\n"
            session += f"\t\tcid:0 ip:{one['ip']} state:active hd:none dd:none\n"
    for name, text in (("volume", volume), ("session", session)):
        (directory / "proc" / f"{name}.new").write_text(text)
        (directory / "proc" / f"{name}.new").rename(directory / "proc" / name)


# ---- what initiators and tests see -------------------------------------------------------------


def start(directory: Path) -> None:
    """Load the module, start the daemon: nothing is exported, unlike what ietd.conf may say."""
    (directory / "proc").mkdir(exist_ok=True)
    _save(directory, {})


def login(directory: Path, iqn: str, initiator: str, address: str, account: str) -> dict[int, Any]:
    """Open a session; the units by LUN.  ``PermissionError`` if the login is refused."""
    state = program.load(directory, {})
    target = next((t for t in state.values() if t["name"] == iqn), None)
    if target is None or not _may_enter(directory, iqn, address):
        raise PermissionError("no such target")
    users = {f"{user} {secret}" for user, secret in target["users"].items()}
    if users and account not in users:
        raise PermissionError("wrong account")
    sid = 1 + max((s["sid"] for t in state.values() for s in t["sessions"]), default=0)
    target["sessions"].append({"sid": sid, "initiator": initiator, "ip": address})
    _save(directory, state)
    return {int(lun): unit for lun, unit in target["units"].items()}


def logout(directory: Path, initiator: str) -> None:
    state = program.load(directory, {})
    for target in state.values():
        target["sessions"] = [s for s in target["sessions"] if s["initiator"] != initiator]
    _save(directory, state)


def _may_enter(directory: Path, iqn: str, address: str) -> bool:
    denied = _matches(directory / "etc" / "initiators.deny", iqn, address)
    return not denied or _matches(directory / "etc" / "initiators.allow", iqn, address)


def _matches(path: Path, iqn: str, address: str) -> bool:
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, patterns = line.partition(" ")
        if line.startswith("#") or not patterns or name not in {iqn, "ALL"}:
            continue
        return any(_fits(pattern.strip(" []"), address) for pattern in patterns.split(","))
    return False


def _fits(pattern: str, address: str) -> bool:
    return pattern == "ALL" or ipaddress.ip_address(address) in ipaddress.ip_network(pattern)
