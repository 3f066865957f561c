"""SPDK behind its HTTP proxy: a real server whose answers are those of SPDK's JSON-RPC document.

State lives in memory and is gone after ``restart``, as in the real program.  Calls that the real
program refuses are refused with its codes: -19 no such device, -17 exists, -2 no such file,
-32601 method unknown, -32602 invalid parameters.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Parameters = dict[str, Any]

_INVALID = (-32602, "Invalid parameters")
_NO_DEVICE = (-19, "No such device")


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SpdkSimulator:
    """The state of one ``nvmf_tgt``, and what was asked of it."""

    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self.password = password
        self.away = False
        self.calls: list[str] = []
        self.url_port = 0
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """End and start again: nothing is left."""
        self.bdevs: dict[str, dict[str, Any]] = {}
        self.subsystems: dict[str, dict[str, Any]] = {}
        self.transports: list[dict[str, Any]] = []

    def may_connect(self, nqn: str, host: str) -> bool:
        """Whether a host would get in and find a namespace."""
        subsystem = self.subsystems.get(nqn)
        return bool(
            subsystem
            and subsystem["listen_addresses"]
            and subsystem["namespaces"]
            and (subsystem["allow_any_host"] or {"nqn": host} in subsystem["hosts"])
        )

    def answer(self, request: Parameters) -> Parameters:
        frame = {"jsonrpc": "2.0", "id": request.get("id")}
        name = str(request.get("method"))
        method = getattr(self, f"rpc_{name}", None)
        with self._lock:
            self.calls.append(name)
            try:
                if method is None:
                    raise Refused(-32601, "Method not found")
                return {**frame, "result": method(**request.get("params", {}))}
            except Refused as refused:
                error = {"code": refused.code, "message": refused.message}
            except TypeError:
                # SPDK decodes parameters strictly: one missing or unknown is refused.
                error = {"code": _INVALID[0], "message": _INVALID[1]}
        return {**frame, "error": error}

    # ---- block devices -------------------------------------------------------------------------

    def rpc_bdev_aio_create(self, name: str, filename: str, block_size: int = 0) -> str:
        if name in self.bdevs:
            raise Refused(-17, "File exists")
        try:
            size = os.stat(filename).st_size
        except FileNotFoundError:
            raise Refused(-2, "No such file or directory") from None
        if block_size < 512 or block_size & (block_size - 1):
            raise Refused(-22, "Invalid argument")
        self.bdevs[name] = {
            "name": name,
            "block_size": block_size,
            "num_blocks": size // block_size,
            "claimed": False,
            "driver_specific": {"aio": {"filename": filename, "readonly": False}},
        }
        return name

    def rpc_bdev_aio_rescan(self, name: str) -> bool:
        bdev = self._bdev(name)
        filename = bdev["driver_specific"]["aio"]["filename"]
        bdev["num_blocks"] = os.stat(filename).st_size // bdev["block_size"]
        return True

    def rpc_bdev_aio_delete(self, name: str) -> bool:
        self._bdev(name)
        del self.bdevs[name]
        for subsystem in self.subsystems.values():
            subsystem["namespaces"] = [n for n in subsystem["namespaces"] if n["bdev_name"] != name]
        return True

    def rpc_bdev_get_bdevs(self, name: str | None = None) -> list[Parameters]:
        return list(self.bdevs.values()) if name is None else [self._bdev(name)]

    def _bdev(self, name: str) -> dict[str, Any]:
        if name not in self.bdevs:
            raise Refused(*_NO_DEVICE)
        return self.bdevs[name]

    # ---- NVMe over fabrics ---------------------------------------------------------------------

    def rpc_nvmf_get_transports(self) -> list[Parameters]:
        return self.transports

    def rpc_nvmf_create_transport(self, trtype: str, max_queue_depth: int = 128) -> bool:
        if any(t["trtype"] == trtype for t in self.transports):
            raise Refused(-32603, f"Transport type '{trtype}' already exists")
        self.transports.append({"trtype": trtype, "max_queue_depth": max_queue_depth})
        return True

    def rpc_nvmf_get_subsystems(self) -> list[Parameters]:
        discovery: Parameters = {
            "nqn": "nqn.2014-08.org.nvmexpress.discovery",
            "subtype": "Discovery",
            "listen_addresses": [],
            "allow_any_host": True,
            "hosts": [],
        }
        return [discovery, *self.subsystems.values()]

    def rpc_nvmf_create_subsystem(
        self,
        nqn: str,
        serial_number: str = "0" * 20,
        max_namespaces: int = 32,
        allow_any_host: bool = False,
    ) -> bool:
        shape = r"nqn\.\d{4}-\d{2}(\.[a-z0-9-]+)+:\S+"
        if not re.fullmatch(shape, nqn) or len(nqn) > 223 or not 0 < len(serial_number) <= 20:
            raise Refused(*_INVALID)
        if nqn in self.subsystems:
            raise Refused(-32603, f"Unable to create subsystem {nqn}")
        self.subsystems[nqn] = {
            "nqn": nqn,
            "subtype": "NVMe",
            "listen_addresses": [],
            "allow_any_host": allow_any_host,
            "hosts": [],
            "serial_number": serial_number,
            "max_namespaces": max_namespaces,
            "namespaces": [],
        }
        return True

    def rpc_nvmf_delete_subsystem(self, nqn: str) -> bool:
        for namespace in self._subsystem(nqn)["namespaces"]:
            self.bdevs[namespace["bdev_name"]]["claimed"] = False
        del self.subsystems[nqn]
        return True

    def rpc_nvmf_subsystem_allow_any_host(self, nqn: str, allow_any_host: bool) -> bool:
        self._subsystem(nqn)["allow_any_host"] = allow_any_host
        return True

    def rpc_nvmf_subsystem_add_host(self, nqn: str, host: str) -> bool:
        hosts = self._subsystem(nqn)["hosts"]
        if {"nqn": host} in hosts or not host.startswith("nqn."):
            raise Refused(*_INVALID)
        hosts.append({"nqn": host})
        return True

    def rpc_nvmf_subsystem_remove_host(self, nqn: str, host: str) -> bool:
        hosts = self._subsystem(nqn)["hosts"]
        if {"nqn": host} not in hosts:
            raise Refused(*_INVALID)
        hosts.remove({"nqn": host})
        return True

    def rpc_nvmf_subsystem_add_ns(self, nqn: str, namespace: Parameters) -> int:
        subsystem = self._subsystem(nqn)
        nsid = int(namespace["nsid"])
        bdev = self.bdevs.get(namespace["bdev_name"])
        taken = any(n["nsid"] == nsid for n in subsystem["namespaces"])
        if bdev is None or bdev["claimed"] or taken or nsid > subsystem["max_namespaces"]:
            raise Refused(*_INVALID)
        bdev["claimed"] = True
        subsystem["namespaces"].append({**namespace, "name": namespace["bdev_name"]})
        return nsid

    def rpc_nvmf_subsystem_remove_ns(self, nqn: str, nsid: int) -> bool:
        subsystem = self._subsystem(nqn)
        gone = [n for n in subsystem["namespaces"] if n["nsid"] == nsid]
        if not gone:
            raise Refused(*_INVALID)
        self.bdevs[gone[0]["bdev_name"]]["claimed"] = False
        subsystem["namespaces"].remove(gone[0])
        return True

    def rpc_nvmf_subsystem_add_listener(self, nqn: str, listen_address: Parameters) -> bool:
        subsystem = self._subsystem(nqn)
        kinds = {t["trtype"] for t in self.transports}
        if listen_address["trtype"] not in kinds or listen_address in subsystem["listen_addresses"]:
            raise Refused(*_INVALID)
        subsystem["listen_addresses"].append(listen_address)
        return True

    def _subsystem(self, nqn: str) -> dict[str, Any]:
        if nqn not in self.subsystems:
            raise Refused(*_NO_DEVICE)
        return self.subsystems[nqn]


class _Proxy(BaseHTTPRequestHandler):
    """The proxy: 401 without the account, 400 without a length, 500 while SPDK is away."""

    simulator: SpdkSimulator

    def do_POST(self) -> None:
        account = base64.b64encode(f"{self.simulator.user}:{self.simulator.password}".encode())
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Basic {account.decode()}":
            self._send(401, b"")
        elif not body:
            self._send(400, b"")
        elif self.simulator.away:
            self._send(500, b"Failed to connect")
        else:
            self._send(200, json.dumps(self.simulator.answer(json.loads(body))).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@contextmanager
def running(
    user: str = "spdk", password: str = "a secret", certificate: Path | None = None
) -> Iterator[SpdkSimulator]:
    """Serve on a free port of 127.0.0.1 (``url_port``), with TLS if there is a certificate."""
    simulator = SpdkSimulator(user, password)
    handler = type("Proxy", (_Proxy,), {"simulator": simulator})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    simulator.url_port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield simulator
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
