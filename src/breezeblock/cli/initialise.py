"""``breezeblock init``: a configuration for one machine, made once and then kept."""

from __future__ import annotations

import re
import secrets
import shlex
import socket
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import bcrypt

from breezeblock.execution.durable import make_private_directory, write_atomically

USER = "admin"
DEFAULT_PORT = 8776
# Below the ports that the kernel hands out to outgoing connections (32768 and up) and below
# the largest control port of tgtd (32767), so that one number serves as both.
_PORTALS = range(20000, 30000)

_CONFIGURATION = """\
# Written once by `breezeblock init`; it is yours to change.
[DEFAULT]
state_path = {state_path}
my_ip = 127.0.0.1
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
auth_strategy = http_basic
http_basic_auth_user_file = {state_path}/htpasswd
http_basic_admin_users = {user}
enabled_backends = file

[breezeblock]
# A tgtd of our own beside others on this machine.
tgt_daemon_managed = true
tgt_control_port = {portal}

[file]
volume_driver = file
volume_backend_name = file
file_volumes_directory = {state_path}/file
target_ip_address = 127.0.0.1
target_port = {portal}
"""

_OPENRC = """\
# Source this file, then use the openstack and cinder commands. It holds a password.
export OS_AUTH_TYPE=http_basic
export OS_ENDPOINT=http://127.0.0.1:{port}/v3
export OS_USERNAME={user}
export OS_PASSWORD={password}
export OS_VOLUME_API_VERSION=3.71
# There is no compute service to ask for the names of servers; with this the client does not.
export OS_COMPUTE_API_VERSION=2.1
# Left over from another cloud, these would be refused by the plug-in above.
unset OS_AUTH_URL OS_CLOUD OS_TOKEN OS_TENANT_ID OS_TENANT_NAME OS_PROJECT_ID OS_PROJECT_NAME
unset OS_PROJECT_DOMAIN_ID OS_PROJECT_DOMAIN_NAME OS_USER_DOMAIN_ID OS_USER_DOMAIN_NAME

# Commands that this machine already has come first.
case ":$PATH:" in
    *:{binaries}:*) ;;
    *) PATH="$PATH":{binaries} ;;
esac

# The cinder command cannot load that plug-in. With its own, `noauth`, it takes name and
# password from the endpoint; the project is asked for but not used.
cinder() {{
    OS_AUTH_TYPE=noauth OS_PROJECT_ID=any \\
        CINDER_ENDPOINT=http://{user}:{password}@127.0.0.1:{port}/v3 command cinder "$@"
}}
"""


def initialise(state_path: Path, port: int | None, openrc: Path | None) -> Iterator[str]:
    """Write what is missing below ``state_path``; yield a line about each thing done.

    ``port`` None keeps the configured one.  Another port than the configured one is the only
    thing that is changed in what exists.
    """
    make_private_directory(state_path)
    configuration = state_path / "breezeblock.conf"
    if not configuration.exists():
        chosen = port or DEFAULT_PORT
        text = _CONFIGURATION.format(
            state_path=state_path, port=chosen, user=USER, portal=_free_portal(state_path)
        )
        write_atomically(configuration, text.encode())
        yield f"wrote {configuration}"
    elif port is not None and _configured_port(configuration) != port:
        text = re.sub(
            r"(?m)^osapi_volume_listen_port\s*=.*$",
            f"osapi_volume_listen_port = {port}",
            configuration.read_text(),
        )
        write_atomically(configuration, text.encode())
        yield f"changed the port in {configuration} to {port}"
    password = _password(state_path)
    users = state_path / "htpasswd"
    if not users.exists():
        digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
        write_atomically(users, f"{USER}:{digest}\n".encode())
        yield f"wrote {users}"
    environment = openrc or state_path / "openrc"
    content = _OPENRC.format(
        port=_configured_port(configuration),
        user=USER,
        password=password,
        binaries=shlex.quote(str(Path(sys.executable).parent)),
    ).encode()
    if not environment.exists() or environment.read_bytes() != content:
        write_atomically(environment, content)
        yield f"wrote {environment}"


def _configured_port(configuration: Path) -> int:
    found = re.search(r"(?m)^osapi_volume_listen_port\s*=\s*(\d+)", configuration.read_text())
    return int(found[1]) if found else DEFAULT_PORT


def _password(state_path: Path) -> str:
    """The generated password, kept so that a lost openrc can be written again."""
    file = state_path / "admin-password"
    if not file.exists():
        # The old digest, if there is one, belongs to a password nobody knows any more.
        (state_path / "htpasswd").unlink(missing_ok=True)
        write_atomically(file, f"{secrets.token_urlsafe(18)}\n".encode())
    return file.read_text().strip()


def _free_portal(state_path: Path) -> int:
    """A TCP port for iSCSI that nothing listens on, different for different clones.

    Where the search begins follows from the path: two clones set up at the same moment do
    not both find the same port free.
    """
    start = zlib.crc32(str(state_path).encode()) % len(_PORTALS)
    for offset in range(len(_PORTALS)):
        port = _PORTALS[(start + offset) % len(_PORTALS)]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port for the iSCSI portal")
