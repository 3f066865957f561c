"""Strategies for input that nobody should send, and for input that is nearly right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from breezeblock.api.schemas.types import UUID

from .watched import CONNECTOR, identity

Strategy = st.SearchStrategy[Any]
# The lists below are rows of words, which are not to be spread out one a line.
# fmt: off
IDS = [identity(name) for name in ("free", "used", "taken", "snapshot", "attached", "nothing")]
_LONG_HEX = "0x" + "f" * 5000

TEXTS: Strategy = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "\uffff", "🧱", "é", "a\nb",
         "x" * 256, "x" * 1100, "x" * 70000, "None", "null", "true", "0", "-1", "١٢", "1e400",
         "..", "../..", "%s%n{0}", "{id}", "'; DROP TABLE volumes; --", '"', "\\", "<a>", "k",
         *IDS, IDS[0].upper(), IDS[0].replace("-", ""), "here@one", "here@one#one", "default"]
    ),
)
NUMBERS: Strategy = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from(
        [0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1e308, 1.0, -0.0]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES: Strategy = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def encoded(value: Any) -> bytes:
    """JSON, as far as the value is any: infinities and lone surrogates are written down too."""
    return json.dumps(value).encode()


BYTES: Strategy = st.one_of(
    VALUES.map(encoded),
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b"{", b"null", b"[]", b"{}", b"1e400", b'{"volume": {"size": 1e400}}', b"\xff\xfe",
         b"[" * 5000 + b"]" * 5000, b'{"a":' * 63 + b"1" + b"}" * 63, b'{"a":' * 70 + b"1",
         b'{"volume": {"size": 1}, "volume": null}', b'{"volume": {"size": 1, "size": "x"}}',
         b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b" " * 114689, b"[" + b"1," * 50000 + b"1]",
         b'{"os-extend": {"new_size": 9}, "os-reserve": {}}', b'{"\\ud800": 1}', b'{"": {}}',
         b'"' + b"x" * 114000 + b'"', b"NaN", b"-Infinity", b"<xml/>", b"a=b&c=d", b"\0"]
    ),
)
CONTENT_TYPES = st.sampled_from(
    ["application/json", "application/json", "application/json; charset=utf-16", "", "text/plain",
     "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "é", ";", "/",
     "application/vnd.openstack.volume+json", "application/json" * 100]
)
VERSIONS = st.one_of(
    st.integers(0, 71).map(lambda minor: f"volume 3.{minor}"),
    st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20),
    st.sampled_from(
        ["volume latest", "volume 3.72", "volume 4.0", "volume 2.0", "volume", "", "volume 3",
         "volume 3." + "9" * 5000, "compute 2.1, volume 3.5", "volume 3.5, volume 3.9", "," * 999,
         "volume 3.\xb2", "volume 3.-1", "volume +3.1", "volume 03.1", "volume 3.1.1", "\xa0"]
    ),
)
# Headers besides the version's and the token's.
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "X-Roles": st.sampled_from(["", "reader", "member,reader", "admin", ",,", "\xff" * 300]),
        "X-Auth-Token": st.sampled_from(
            ["", ":", "a:b:c", "user", "user:bbbb", "é:x", "u:" + "p" * 300, "\xa0:\xa0"]
        ),
        "X-Auth-User": st.just("x"),
        "X-Service-Token": st.just("x"),
        "X-Forwarded-Host": st.sampled_from(["", ",", "a,b", "\xff", "[::1", "a:b:c"]),
        "X-Forwarded-Proto": st.sampled_from(["https", "", "\xff", "javascript"]),
        "Host": st.sampled_from(["", "h", "h:x", "[::1", "\xff", "a b"]),
        "Transfer-Encoding": st.sampled_from(["chunked", "gzip", "chunked, chunked"]),
        "Content-Length": st.sampled_from(["", "-1", "x", "0", "1", "999999999999", "1.5", "\xb2"]),
        "Accept": st.sampled_from(["", "text/html", "application/xml;q=\xff", "*/*"]),
        "If-None-Match": st.just('"x"'),
        "Range": st.sampled_from(["bytes=0-1", "x"]),
    },
)

# fmt: on


def percent(text: str) -> str:
    """Percent-encoded; lone surrogates as the bytes that they would be."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


PATH_IDS = st.one_of(
    TEXTS.map(percent),
    st.binary(min_size=1, max_size=12).map(lambda raw: quote(raw, safe="")),
    st.sampled_from(["%", "%zz", "%ff%fe", "%c0%af", "%2e%2e", "..", "a%2Fb", "a;b", "%25%30%30"]),
)

# ---- queries ------------------------------------------------------------------------------------

# fmt: off
LITERALS = [
    "['\\ud800']", f"[{_LONG_HEX}]", f"{{'k': {_LONG_HEX}}}", f"{{{_LONG_HEX}: 1}}", "'\\0'",
     "{'k': 'v'}", "{1: 2}", "{'\\udfff': ''}", "{'k': '\\0'}", "{}", "{1", "{[]: 1}", "{None: 1}",
     "[" * 300, "(" * 99 + ")" * 99, "[" + "-" * 9000 + "1]", "[1e999, None]", "(1,)", "[]",
     "['a', 'b', {}]", "['a'" + ", 'a'" * 1500 + "]", "[" + "1+" * 2000 + "1]", '"a"', "{'a'}",
     "None", "[1j, b'x', ...]", "'" + "x" * 70000 + "'", "9" * 30, "9" * 5000, "-0", "٣", "0x1",
     "gt:2020-01-01", "gte:0001-01-01T00:00:00+23:59", "lt:9999-12-31T23:59:59-23:59", "neq:x",
     "gt:", ":", "gt:2020-01-01,lt:2030-01-01T00:00:00Z", "2020-01-01", "2020-W01-1", "eq:∞",
     "name:asc,created_at", "size:desc,id:asc", "name:sideways", ",,", ":", "id,id,id", "-id",
     "created_at,updated_at,display_name,bootable,host", "progress,step", "metadata", "seq",
     "%", "_", "a%_\\", "\\", "1", "0", "yes", "TRUE", "maybe", "2147483648", "size", "asc",
]
# fmt: on
QUERY_VALUES = st.one_of(
    st.sampled_from(LITERALS), st.sampled_from(LITERALS), TEXTS, st.sampled_from(IDS)
)
NAMES = (
    *("limit", "offset", "marker", "sort", "sort_key", "sort_dir", "all_tenants", "with_count"),
    *("name", "name~", "status~", "metadata", "metadata~", "id", "project_id", "size", "size~"),
    *("created_at", "updated_at", "bootable", "host", "glance_metadata", "extra_specs"),
    *("is_public", "progress", "user_id", "encryption_key_id", "limit~", "marker~", "description"),
)


def pairs(names: Sequence[str]) -> Strategy:
    """Query strings of these names and some others."""
    name = st.one_of(st.sampled_from([*names, *NAMES]), st.sampled_from([*names, *NAMES]), TEXTS)
    return st.lists(st.tuples(name, QUERY_VALUES), min_size=1, max_size=3).map(
        lambda given: "&".join(f"{percent(key)}={percent(value)}" for key, value in given)
    )


QUERIES = st.one_of(
    pairs(()),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
    st.sampled_from(["&&&", "=", "a", "%", "%zz=%zz", "limit", "limit=", "=1", "a=1&a=2", "%ff=1"]),
)

# ---- bodies that are nearly right ---------------------------------------------------------------

_KEYS = st.one_of(st.sampled_from(["k", "a", "capabilities:x", "readonly", "volumes"]), TEXTS)

_SCALARS: Mapping[str, Strategy] = {
    "string": st.one_of(TEXTS, st.sampled_from([*IDS, "public", "rw", "available", "a", "2"])),
    "integer": st.one_of(st.integers(-2, 12), NUMBERS),
    "null": st.none(),
}


@st.composite
def near(draw: st.DrawFn, schema: Mapping[str, Any]) -> Any:
    """Values of the form that the schema asks for, every other one spoilt in one place."""
    value = draw(_shaped(schema))
    return _spoilt(draw, value) if draw(st.booleans()) else value


def _spoilt(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, dict) or not value or not draw(st.integers(0, 3)):
        return draw(VALUES)
    changed = dict(value)
    name = draw(st.sampled_from(sorted(value)))
    match draw(st.integers(0, 7)):
        case 0:
            del changed[name]
        case 1:
            changed[draw(TEXTS)] = changed.pop(name)
        case _:
            changed[name] = _spoilt(draw, value[name])
    return changed


def _shaped(schema: Mapping[str, Any]) -> Strategy:
    if "enum" in schema:
        return st.sampled_from(list(schema["enum"]))
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return st.one_of([_shaped({**schema, "type": kind}) for kind in kinds])
    if kinds is None and "anyOf" in schema:
        return st.one_of([_shaped(option) for option in schema["anyOf"]])
    if kinds == "object":
        return _objects(schema)
    if kinds == "array":
        return st.lists(_shaped(schema.get("items", {})), max_size=3)
    if kinds == "string" and schema.get("pattern") == UUID["pattern"]:
        return st.sampled_from([IDS[0], IDS[0], *IDS])
    return _SCALARS.get(str(kinds), VALUES)


def _objects(schema: Mapping[str, Any]) -> Strategy:
    properties = schema.get("properties", {})
    if not properties or "initiator" in properties:
        patterns = list(schema.get("patternProperties", {}).values())
        if not patterns:
            return st.one_of(
                st.just(CONNECTOR), st.dictionaries(st.text(max_size=8), VALUES, max_size=3)
            )
        return st.dictionaries(_KEYS, _shaped(patterns[0]), max_size=3)
    required = schema.get("required", ())
    return st.fixed_dictionaries(
        {name: _shaped(properties[name]) for name in required},
        optional={name: _shaped(one) for name, one in properties.items() if name not in required},
    )
