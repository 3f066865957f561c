"""The small client of the API, against a small server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from breezeblock.cli.block_storage import BlockStorage, RequestFailed

Answer = tuple[int, Any]


class Server(ThreadingHTTPServer):
    """Answers what a test wrote down for "METHOD path", one answer after the other."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, dict[str, str], Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        request = f"{self.command} {self.path}"
        self.server.seen.append((request, dict(self.headers.items()), body))
        prepared = self.server.answers[request]
        status, content = prepared.pop(0) if len(prepared) > 1 else prepared[0]
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[BlockStorage]:
    endpoint = f"http://127.0.0.1:{server.server_port}/v3"
    with BlockStorage(endpoint, "me", "se:cret") as connected:
        yield connected


def test_a_request_says_who_and_which_version(server: Server, client: BlockStorage) -> None:
    server.answers["POST /v3/volumes"] = [(202, {"volume": {"id": "v1"}})]
    assert client.create("volume", size=1) == {"id": "v1"}
    ((_, headers, body),) = server.seen
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"me:se:cret").decode()
    assert headers["OpenStack-API-Version"] == "volume 3.71"
    assert body == {"volume": {"size": 1}}


def test_a_fault_is_told_in_the_words_of_the_service(server: Server, client: BlockStorage) -> None:
    fault = {"overLimit": {"code": 413, "message": "too much"}}
    server.answers["POST /v3/volumes"] = [(413, fault)]
    with pytest.raises(RequestFailed, match="too much") as failed:
        client.create("volume", size=1)
    assert failed.value.status == 413


def test_a_fault_that_is_none_is_told_by_its_status(server: Server, client: BlockStorage) -> None:
    server.answers["POST /v3/volumes"] = [(503, ["?"])]
    with pytest.raises(RequestFailed, match="Service Unavailable"):
        client.create("volume", size=1)


def test_waiting_ends_with_the_wanted_status(server: Server, client: BlockStorage) -> None:
    server.answers["GET /v3/volumes/v1"] = [
        (200, {"volume": {"status": "creating"}}),
        (200, {"volume": {"status": "available", "size": 1}}),
        (200, {"volume": {"status": "available", "size": 2}}),
    ]
    found = client.wait("volume", "v1", "available", lambda volume: volume["size"] == 2)
    assert found["size"] == 2


def test_waiting_ends_at_an_error_and_says_why(server: Server, client: BlockStorage) -> None:
    server.answers["GET /v3/volumes/v1"] = [(200, {"volume": {"status": "error"}})]
    server.answers["GET /v3/messages?resource_uuid=v1"] = [
        (200, {"messages": [{"user_message": "no space; add some"}]})
    ]
    with pytest.raises(RequestFailed, match=r"status error: no space; add some"):
        client.wait("volume", "v1", "available")
    with pytest.raises(RequestFailed, match=r"no space"):
        client.wait_gone("volume", "v1")


def test_gone_is_when_it_is_not_found(server: Server, client: BlockStorage) -> None:
    server.answers["DELETE /v3/volumes/v1"] = [(202, None)]
    server.answers["GET /v3/volumes/v1"] = [
        (200, {"volume": {"status": "deleting"}}),
        (404, {"itemNotFound": {"code": 404, "message": "gone"}}),
    ]
    client.delete("volume", "v1")
    client.wait_gone("volume", "v1")
