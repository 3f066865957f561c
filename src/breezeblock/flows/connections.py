"""Steps that connect and disconnect a volume's consumers.

The same steps serve attachments and the older volume actions; what differs is whose rows the
end writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Attachment, Volume
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.domain.volume_states import status_by_attachments
from breezeblock.flows import kinds
from breezeblock.flows.backend import (
    Backend,
    BackendRun,
    context_of,
    remember_on_volume,
    tell_user,
    volume_of,
)
from breezeblock.operations.definition import Definition, RetryPolicy, Step
from breezeblock.operations.failure import Failure
from breezeblock.operations.run import Result
from breezeblock.store import attachments, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction

# Somebody waits for the answer of these: better a quick error than a long try.
_BRIEF = RetryPolicy(tries=3, first_pause=0.2, longest_pause=1.0)
_FORGOTTEN_EXPORT: Mapping[str, None] = {"provider_location": None, "provider_auth": None}


def _volume(run: BackendRun) -> Volume:
    return volume_of(run, run.payload["volume_id"])


def _connected_ones(run: BackendRun) -> list[Attachment]:
    """The volume's attachments that have a connection."""
    with run.read() as connection:
        held = attachments.of_volume(connection, run.payload["volume_id"])
    return [a for a in held if a.connector or a.attach_status == "attached"]


# ---- steps -----------------------------------------------------------------------------------


def _check(run: BackendRun) -> Result:
    # A step of its own, before anything is there to be undone: a volume may be exported already.
    run.env.driver.validate_connector(run.payload["connector"])
    return {}


def _export(run: BackendRun) -> Result:
    driver, connector = run.env.driver, run.payload["connector"]
    update = driver.create_export(context_of(run), _volume(run), connector)
    return {"update": dict(update or {})}


def _remember_export(run: BackendRun, tx: Transaction, result: Result) -> None:
    remember_on_volume(run, tx, run.payload["volume_id"], result)


def _take_back_export(run: BackendRun) -> None:
    # Its own too: what was connected before this operation stays connected.
    if _connected_ones(run):
        return
    run.env.driver.remove_export(context_of(run), _volume(run))
    run.transact(lambda tx: volumes.update(tx, run.payload["volume_id"], **_FORGOTTEN_EXPORT))


def _initialize(run: BackendRun) -> Result:
    volume, connector = _volume(run), run.payload["connector"]
    info = run.env.driver.initialize_connection(volume, connector)
    data = {**info["data"], "access_mode": _access_mode(run, volume)}
    data["encrypted"] = volume.encrypted
    return {"driver_volume_type": info["driver_volume_type"], "data": data}


def _access_mode(run: BackendRun, volume: Volume) -> str:
    if volume.admin_metadata.get("readonly") == "True":
        return "ro"
    return run.payload.get("mode") or volume.admin_metadata.get("attached_mode") or "rw"


def _terminate(run: BackendRun) -> Result:
    own = run.payload.get("attachment_id")
    others = _connectors(a for a in _connected_ones(run) if a.id != own)
    connector = run.payload.get("connector")
    if connector is None and others:
        # Without a connector a driver cuts everybody; the others are to stay.
        return {"shared": True}
    shared = run.env.driver.terminate_connection(
        _volume(run), connector, force=bool(run.payload.get("force")), others=others
    )
    return {"shared": bool(shared)}


def _take_back_connection(run: BackendRun) -> None:
    # Whoever was connected before stays: this attachment too, if it only renewed its connection.
    run.env.driver.terminate_connection(
        _volume(run),
        run.payload["connector"],
        force=True,
        others=_connectors(_connected_ones(run)),
    )


def _connectors(held: Iterable[Attachment]) -> list[Mapping[str, Any]]:
    return [a.connector for a in held if a.connector]


def _unexport(run: BackendRun) -> Result:
    own = run.payload.get("attachment_id")
    others = [a for a in _connected_ones(run) if a.id != own]
    if run.result("terminate").get("shared") or others:
        return {"removed": False}
    run.env.driver.remove_export(context_of(run), _volume(run))
    return {"removed": True}


def _forget_export(run: BackendRun, tx: Transaction, result: Result) -> None:
    if result and result["removed"]:
        volumes.update(tx, run.payload["volume_id"], **_FORGOTTEN_EXPORT)


CHECK: Step[Backend] = Step("check", _check)
EXPORT: Step[Backend] = Step("export", _export, undo=_take_back_export, record=_remember_export)
INITIALIZE: Step[Backend] = Step("initialize", _initialize, undo=_take_back_connection)
TERMINATE: Step[Backend] = Step("terminate", _terminate)
UNEXPORT: Step[Backend] = Step("unexport", _unexport, record=_forget_export)


# ---- what the ends write ---------------------------------------------------------------------


def _connected(run: BackendRun, tx: Transaction) -> None:
    attachment_id, volume_id = run.payload["attachment_id"], run.payload["volume_id"]
    attachment = attachments.find(tx.connection, attachment_id)
    if attachment is None:
        return
    info: Mapping[str, Any] = run.result("initialize")
    to = "attached" if attachment.attach_status == "attached" else "attaching"
    attachments.transition(
        tx,
        attachment_id,
        "connected",
        to=to,
        connector=dict(run.payload["connector"]),
        connection_info=dict(info),
        attach_mode=info["data"]["access_mode"],
        attached_host=run.payload["connector"].get("host"),
        mountpoint=run.payload["connector"].get("mountpoint"),
    )
    status, attach_status = status_by_attachments(attachments.of_volume(tx.connection, volume_id))
    volumes.transition(tx, volume_id, "connect_attachment", to=status, attach_status=attach_status)


def _connect_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    # A connector that lacks something was refused before anything was tried.
    if failure.kind != InvalidConnector.symbol:
        attachments.transition(tx, run.payload["attachment_id"], "connect_failed")
    tell_user(run, tx, failure, Action.UPDATE_ATTACHMENT, Detail.ATTACH)


def _initialize_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    tell_user(run, tx, failure, Action.ATTACH, Detail.ATTACH)


def _nothing(run: BackendRun, tx: Transaction) -> None:
    """The steps were all there was to do."""


def _detached(run: BackendRun, tx: Transaction) -> None:
    attachment_id, volume_id = run.payload.get("attachment_id"), run.payload["volume_id"]
    if attachment_id is not None:
        attachments.transition(tx, attachment_id, "detached")
    volume = volumes.find(tx.connection, volume_id)
    if volume is None:
        return
    attach_status = volumes.follow_attachments(tx, volume_id)
    if attach_status == "detached" and "attached_mode" in volume.admin_metadata:
        kept = {k: v for k, v in volume.admin_metadata.items() if k != "attached_mode"}
        volumes.update(tx, volume_id, admin_metadata=kept)


def _detach_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    attachment_id = run.payload.get("attachment_id")
    if attachment_id is not None:
        attachments.transition(tx, attachment_id, "detach_failed", detach_time=now())
    tell_user(run, tx, failure, Action.DETACH, Detail.DETACH)


def _define(
    kind: str, steps: tuple[Step[Backend], ...], finish: Any, fail: Any
) -> Definition[Backend]:
    return Definition(kind=kind, steps=steps, finish=finish, fail=fail, retry=_BRIEF)


CONNECT = _define(
    kinds.CONNECT_ATTACHMENT, (CHECK, EXPORT, INITIALIZE), _connected, _connect_failed
)
DISCONNECT = _define(kinds.DISCONNECT_ATTACHMENT, (TERMINATE, UNEXPORT), _detached, _detach_failed)
INITIALIZE_CONNECTION = _define(
    kinds.INITIALIZE_CONNECTION, (CHECK, EXPORT, INITIALIZE), _nothing, _initialize_failed
)
TERMINATE_CONNECTION = _define(kinds.TERMINATE_CONNECTION, (TERMINATE,), _nothing, _detach_failed)
DETACH = _define(kinds.DETACH_VOLUME, (UNEXPORT,), _detached, _detach_failed)
