"""Who is let in: noauth and http_basic."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oslo_config import cfg

from breezeblock.api.authentication import factory
from breezeblock.api.authentication.http_basic import HttpBasic, decode, project_of
from breezeblock.api.authentication.interface import DirectAnswer, Headers, Identity
from breezeblock.api.authentication.noauth import NoAuth
from breezeblock.config import auth


def headers(**given: str) -> Headers:
    table = {name.replace("_", "-").lower(): value for name, value in given.items()}
    return lambda name: table.get(name.lower())


def test_token_names_user_and_project() -> None:
    assert NoAuth().authenticate(headers(X_Auth_Token="bob:p1")) == Identity(
        user_id="bob", project_id="p1", roles=("admin", "member", "reader")
    )


def test_roles_can_be_narrowed() -> None:
    who = NoAuth().authenticate(headers(X_Auth_Token="bob:p1", X_Roles="member, reader"))
    assert isinstance(who, Identity)
    assert who.roles == ("member", "reader")


def test_no_token_takes_the_project_of_the_url() -> None:
    who = NoAuth().authenticate(headers())
    assert isinstance(who, Identity)
    assert (who.user_id, who.project_id) == ("admin", None)


def test_old_clients_ask_for_a_token() -> None:
    answer = NoAuth().authenticate(
        headers(X_Auth_User="bob", X_Auth_Project_Id="p1", Host="there:8776")
    )
    assert isinstance(answer, DirectAnswer)
    assert answer.status == 204
    assert answer.headers == {
        "X-Auth-Token": "bob:p1",
        "X-Server-Management-Url": "http://there:8776/v3/p1",
    }


@given(st.text())
def test_any_token_is_an_answer(token: str) -> None:
    NoAuth().authenticate(headers(X_Auth_Token=token))
    NoAuth().authenticate(headers(X_Auth_User=token))


# ---- http_basic --------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def digest(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()


def basic(user: str, password: str) -> Headers:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return headers(Authorization=f"Basic {token}")


Make = Callable[[], HttpBasic]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text(f"# people\nadmin:{digest('s:cret')}\n\nbob:{digest('b')}\n", encoding="utf-8")
    return path


def rewrite(path: Path, text: str) -> None:
    """As a careful editor does: a new file in the old one's place."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def test_users_get_in(users: Path) -> None:
    door = HttpBasic(users, ["admin"])
    assert door.authenticate(basic("admin", "s:cret")) == Identity(
        user_id="admin", project_id=project_of("admin"), roles=("admin", "member", "reader")
    )
    who = door.authenticate(basic("bob", "b"))
    assert isinstance(who, Identity)
    assert who.roles == ("member", "reader")
    assert who.project_id == project_of("bob") != project_of("admin")
    assert door.authenticate(basic("bob", "b")) == who


def test_projects_last() -> None:
    # Whoever changes how it is made takes every user's volumes away.
    assert project_of("admin") == "18ad5580abd7549c821607b285213d73"


@pytest.mark.parametrize(
    "given",
    [
        headers(),
        basic("admin", "wrong"),
        basic("admin", ""),
        basic("nobody", "s:cret"),
        basic("", ""),
        basic("admin", "x" * 100),
        basic("admin", "s:cret\0"),
        headers(Authorization="Bearer abc"),
        headers(Authorization="Basic"),
        headers(Authorization="Basic !!!"),
        headers(Authorization="Basic " + base64.b64encode(b"\xff\xfe:x").decode()),
        headers(Authorization="Basic " + base64.b64encode(b"nocolon").decode()),
        headers(Authorization="Basic \u00e9"),
    ],
)
def test_others_are_challenged(users: Path, given: Headers) -> None:
    answer = HttpBasic(users, ["admin"]).authenticate(given)
    assert isinstance(answer, DirectAnswer)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_changed_file_counts_at_once_for_the_remembered(users: Path, clock: Clock) -> None:
    door = HttpBasic(users, ["admin"], clock)
    assert isinstance(door.authenticate(basic("bob", "b")), Identity)
    rewrite(users, f"admin:{digest('new')}\n")
    clock.now += 2
    assert isinstance(door.authenticate(basic("bob", "b")), DirectAnswer)
    assert isinstance(door.authenticate(basic("admin", "new")), Identity)


def test_a_file_gone_bad_changes_nothing(users: Path, clock: Clock) -> None:
    door = HttpBasic(users, ["admin"], clock)
    rewrite(users, "admin:plaintext\n")
    clock.now += 2
    assert isinstance(door.authenticate(basic("admin", "s:cret")), Identity)
    assert isinstance(door.authenticate(basic("admin", "plaintext")), DirectAnswer)


def test_only_bcrypt_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_text("admin:{SHA}abc=\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        HttpBasic(path, ["admin"])


def test_memory_ends(users: Path, clock: Clock) -> None:
    door = HttpBasic(users, ["admin"], clock)
    door.authenticate(basic("bob", "b"))
    clock.now += 61
    assert isinstance(door.authenticate(basic("bob", "b")), Identity)


@given(st.text())
def test_any_header_decodes_or_does_not(text: str) -> None:
    decode(text)
    decode(f"Basic {text}")


# ---- the choice --------------------------------------------------------------------------------


def test_strategies(users: Path, tmp_path: Path) -> None:
    def make(strategy: str, path: Path = users) -> object:
        conf = cfg.ConfigOpts()
        conf.register_opts(auth.AUTH_OPTIONS)
        conf([], default_config_files=[], default_config_dirs=[])
        conf.set_override("auth_strategy", strategy)
        conf.set_override("http_basic_auth_user_file", str(path))
        return factory.create(conf)

    assert isinstance(make("http_basic"), HttpBasic)
    assert isinstance(make("noauth"), NoAuth)
    with pytest.raises(factory.AuthenticationUnavailable, match="keystone"):
        make("keystone")
    with pytest.raises(factory.AuthenticationUnavailable, match="missing"):
        make("http_basic", tmp_path / "missing")


def test_a_bare_token_leaves_the_project_to_the_url() -> None:
    """As the client's `none` plugin sends it."""
    who = NoAuth().authenticate(headers(X_Auth_Token="notused"))
    assert isinstance(who, Identity)
    assert (who.user_id, who.project_id) == ("notused", None)
