"""What the request schemas let in, operation by operation."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breezeblock.api.faults import Fault
from breezeblock.api.literals import FALSE, TRUE
from breezeblock.api.route import Route
from breezeblock.api.routes import ROUTES
from breezeblock.api.schemas import administration, attachments, snapshots, volume_types, volumes
from breezeblock.api.schemas.request import RequestSchema
from breezeblock.api.schemas.types import MAX_INTEGER, digits

UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


def at(bodies: tuple[RequestSchema, ...], version: int) -> RequestSchema:
    return next(b for b in bodies if b.since <= version <= b.until)


def accepted(bodies: tuple[RequestSchema, ...], body: Any, version: int = 71) -> bool:
    try:
        at(bodies, version).check(body)
    except Fault as fault:
        assert fault.status == 400
        return False
    return True


@given(st.integers(0, 2 * MAX_INTEGER), st.text("0", max_size=5), st.integers(1, MAX_INTEGER))
def test_digits_are_bounded_as_numbers_are(number: int, zeros: str, maximum: int) -> None:
    matches = re.fullmatch(digits(maximum), f"{zeros}{number}") is not None
    assert matches == (number <= maximum)


@pytest.mark.parametrize("size", [1, "1", "001", MAX_INTEGER, str(MAX_INTEGER), None])
def test_sizes(size: Any) -> None:
    assert accepted(volumes.CREATE, {"volume": {"size": size}})


@pytest.mark.parametrize(
    "size",
    *(
        [
            [
                0,
                "0",
                "000",
                -1,
                "-1",
                "",
                " 1",
                "1 ",
                1.5,
                True,
                [],
                {},
                MAX_INTEGER + 1,
                "2147483648",
            ]
        ]
    ),
)
def test_no_sizes(size: Any) -> None:
    assert not accepted(volumes.CREATE, {"volume": {"size": size}})


def test_null_is_no_new_size() -> None:
    assert accepted(volumes.EXTEND, {"new_size": "2"})
    assert not accepted(volumes.EXTEND, {"new_size": None})


@pytest.mark.parametrize("value", [True, False, *TRUE, *FALSE])
def test_booleans(value: Any) -> None:
    assert accepted(volumes.BOOTABLE, {"bootable": value})


@pytest.mark.parametrize("value", [1, 0, "", "tRuE", "maybe", None, []])
def test_no_booleans(value: Any) -> None:
    assert not accepted(volumes.BOOTABLE, {"bootable": value})


def test_names_are_measured_once_stripped() -> None:
    body = {"volume": {"size": 1, "name": "  " + "n" * 255 + "\n", "description": " a\nb "}}
    checked = at(volumes.CREATE, 71).check(body)
    assert checked["volume"]["name"] == "n" * 255
    assert checked["volume"]["description"] == "a\nb"
    assert body["volume"]["name"] != checked["volume"]["name"]
    assert not accepted(volumes.CREATE, {"volume": {"size": 1, "name": "n" * 256}})


@pytest.mark.parametrize("version", [0, 12, 52])
def test_unknown_keys_pass_before_3_53(version: int) -> None:
    assert accepted(volumes.CREATE, {"volume": {"size": 1, "foo": 1}}, version)
    assert not accepted(volumes.CREATE, {"volume": {"size": 1, "foo": 1}}, 53)


def test_hints_are_the_only_sibling_of_volume() -> None:
    hints = {"same_host": [UUID], "different_host": UUID, "query": "[]", "anything": 1}
    body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": hints}
    assert accepted(volumes.CREATE, body)
    assert accepted(volumes.CREATE, {**body, "OS-SCH-HNT:scheduler_hints": None})
    assert not accepted(volumes.CREATE, {**body, "other": {}})
    assert not accepted(
        volumes.CREATE, {**body, "OS-SCH-HNT:scheduler_hints": {"same_host": [UUID, UUID]}}
    )


@pytest.mark.parametrize("uuid", [UUID, UUID.upper(), UUID.replace("-", ""), None])
def test_sources_are_uuid_like(uuid: Any) -> None:
    assert accepted(volumes.CREATE, {"volume": {"snapshot_id": uuid}})
    assert not accepted(volumes.CREATE, {"volume": {"snapshot_id": f"{uuid}x"}})


def test_metadata_keys_and_values() -> None:
    def fits(metadata: Any) -> bool:
        return accepted(volumes.METADATA_MAP, {"metadata": metadata})

    assert fits({})
    assert fits({"a-B_c:d.e f/9": "", "k" * 255: "v" * 255})
    for refused in ({"": "v"}, {"k" * 256: "v"}, {"k": "v" * 256}, {"k\n": "v"}, {"é": "v"}):
        assert not fits(refused)
    others: tuple[Any, ...] = ({"k": None}, {"k": 1}, None, [], "x")
    assert not any(fits(other) for other in others)


def test_one_metadata_item() -> None:
    assert accepted(volumes.METADATA_ITEM, {"meta": {"k": "v"}})
    assert not accepted(volumes.METADATA_ITEM, {"meta": {}})
    assert not accepted(volumes.METADATA_ITEM, {"meta": {"k": "v", "l": "w"}})


def test_snapshot_metadata_has_no_slashes() -> None:
    assert accepted(volumes.METADATA_MAP, {"metadata": {"a/b": "c"}})
    assert not accepted(snapshots.METADATA_MAP, {"metadata": {"a/b": "c"}})
    assert accepted(snapshots.METADATA_MAP, {"metadata": {"a b": "c"}})


def test_updates_need_a_key_from_3_53() -> None:
    assert accepted(volumes.UPDATE, {"volume": {}}, 52)
    assert not accepted(volumes.UPDATE, {"volume": {}}, 53)
    assert not accepted(volumes.UPDATE, {}, 52)
    assert not accepted(snapshots.UPDATE, {"snapshot": {}}, 0)


def test_attach_needs_a_consumer() -> None:
    body = {"mountpoint": "/dev/vdb"}
    assert not accepted(volumes.ATTACH, body)
    assert accepted(volumes.ATTACH, {**body, "host_name": "h", "mode": "ro"})
    assert accepted(volumes.ATTACH, {**body, "instance_uuid": UUID})
    assert not accepted(volumes.ATTACH, {**body, "host_name": "h", "mode": "wo"})
    assert not accepted(volumes.ATTACH, {"mountpoint": "", "host_name": "h"})


@pytest.mark.parametrize("value", [None, {}, {"attachment_id": None}, {"attachment_id": UUID}])
def test_detach(value: Any) -> None:
    assert accepted(volumes.DETACH, value)


@pytest.mark.parametrize("percent", ["0%", "9%", "10%", "99%", "100%"])
def test_progress(percent: str) -> None:
    assert accepted(snapshots.UPDATE_STATUS, {"status": "creating", "progress": percent})


@pytest.mark.parametrize("percent", ["", "101%", "-1%", "50", "1000%", "05%", 5])
def test_no_progress(percent: Any) -> None:
    assert not accepted(snapshots.UPDATE_STATUS, {"status": "creating", "progress": percent})


def test_attachment_mode_from_3_54() -> None:
    body = {"attachment": {"volume_uuid": UUID, "mode": "ro"}}
    assert not accepted(attachments.CREATE, body, 53)
    assert accepted(attachments.CREATE, body, 54)
    assert not accepted(attachments.UPDATE, {"attachment": {"connector": {}}})


def test_type_names_and_descriptions() -> None:
    def fits(**fields: Any) -> bool:
        return accepted(volume_types.CREATE, {"volume_type": fields})

    assert fits(name="gold", description="", extra_specs={"a b": None})
    assert not fits(name="  ")
    assert not fits(name="")
    assert not fits(name="n" * 256)
    assert not fits(name="gold", description="two\nlines")
    assert not fits(name="gold", colour="yellow")


def test_extra_specs_alone_are_stricter() -> None:
    assert accepted(volume_types.SPECS, {"extra_specs": {"a:b": None}})
    assert not accepted(volume_types.SPECS, {"extra_specs": {"a b": "c"}})
    assert not accepted(volume_types.SPEC, {})


@pytest.mark.parametrize("value", [-1, "-1", 0, "0", MAX_INTEGER, str(MAX_INTEGER)])
def test_quotas(value: Any) -> None:
    assert accepted(administration.QUOTA_UPDATE, {"quota_set": {"volumes": value}})


@pytest.mark.parametrize("value", [-2, "-2", "", None, 1.5, True, MAX_INTEGER + 1, "2147483648"])
def test_no_quotas(value: Any) -> None:
    assert not accepted(administration.QUOTA_UPDATE, {"quota_set": {"volumes": value}})


def test_services_are_named_by_binary_or_service() -> None:
    assert accepted(administration.SERVICE, {"host": "h@b", "binary": "cinder-volume"})
    assert accepted(administration.SERVICE, {"host": "h@b", "service": "cinder-volume"})
    assert not accepted(administration.SERVICE, {"host": "h@b"})
    assert not accepted(administration.SERVICE, {"host": "h b", "binary": "x"})
    reason = {"host": "h", "binary": "x", "disabled_reason": "  "}
    assert not accepted(administration.SERVICE_REASON, reason)


def test_refusals_name_the_field_and_say_what_it_must_be() -> None:
    with pytest.raises(Fault) as refusal:
        at(volumes.CREATE, 71).check({"volume": {"size": "many"}})
    assert refusal.value.message == (
        "Invalid input for field/attribute size. Value: many. "
        "It must be a number of GiB from 1 to 2147483647."
    )


@pytest.mark.parametrize("route", [r for r in ROUTES if r.bodies], ids=lambda r: r.summary)
def test_schemas_hold_in_both_dialects(route: Route) -> None:
    for body in route.bodies:
        jsonschema_rs.Draft4Validator(dict(body.schema))
        jsonschema_rs.Draft202012Validator(dict(body.schema))
        jsonschema_rs.meta.validate({**body.schema, "$schema": DRAFT4})
        jsonschema_rs.meta.validate({**body.schema, "$schema": DRAFT2020})


DRAFT4 = "http://json-schema.org/draft-04/schema#"
DRAFT2020 = "https://json-schema.org/draft/2020-12/schema"

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.sampled_from([b for r in ROUTES for b in r.bodies]), _JSON)
def test_any_body_is_taken_or_refused_with_400(schema: RequestSchema, body: Any) -> None:
    try:
        schema.check(body)
    except Fault as fault:
        assert fault.status == 400


def test_what_types_decide_cannot_be_asked_for_a_volume() -> None:
    assert accepted(volumes.CREATE, {"volume": {"size": 1, "multiattach": "false"}})
    assert not accepted(volumes.CREATE, {"volume": {"size": 1, "multiattach": True}})


def test_force_of_a_snapshot_from_3_66() -> None:
    def body(force: Any) -> dict[str, Any]:
        return {"snapshot": {"volume_id": UUID, "force": force}}

    assert accepted(snapshots.CREATE, body("no"), 65)
    assert not accepted(snapshots.CREATE, body("no"), 66)
    assert accepted(snapshots.CREATE, body("yes"), 66)
    assert accepted(snapshots.CREATE, body(True), 66)
