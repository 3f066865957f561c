"""A small client of the API: what ``main-job`` needs, on the standard library alone."""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

MICROVERSION = "3.71"
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 300.0


class RequestFailed(Exception):
    """The service refused a request, or a resource went into an error state."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class BlockStorage:
    """One endpoint, spoken to as one user over one connection."""

    def __init__(self, endpoint: str, user: str, password: str) -> None:
        parts = urlsplit(endpoint)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=120)
        self._base = parts.path.rstrip("/")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {token}",
            "Content-Type": "application/json",
            "OpenStack-API-Version": f"volume {MICROVERSION}",
        }

    def __enter__(self) -> BlockStorage:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @classmethod
    def from_environment(cls) -> BlockStorage:
        """As openrc says.  Raises KeyError with the name of what is not set."""
        return cls(os.environ["OS_ENDPOINT"], os.environ["OS_USERNAME"], os.environ["OS_PASSWORD"])

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's body; None if it is empty.  Raises RequestFailed on 4xx and 5xx."""
        content = json.dumps(body).encode() if body is not None else None
        self._connection.request(method, self._base + path, content, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= http.client.BAD_REQUEST:
            raise RequestFailed(response.status, _fault(answer, response.reason))
        return json.loads(answer) if answer else None

    def create(self, resource: str, **fields: Any) -> dict[str, Any]:
        """Create a volume, snapshot or attachment; ``resource`` is the singular."""
        created = self.request("POST", f"/{resource}s", {resource: fields})
        return dict(created[resource])

    def action(self, resource: str, identity: str, name: str, **fields: Any) -> None:
        """Ask for one of the actions of a resource."""
        self.request("POST", f"/{resource}s/{identity}/action", {name: fields})

    def delete(self, resource: str, identity: str) -> None:
        """Ask for the end of a resource."""
        self.request("DELETE", f"/{resource}s/{identity}")

    def wait(
        self, resource: str, identity: str, wanted: str, accept: Callable[[Any], bool] | None = None
    ) -> dict[str, Any]:
        """Wait until the status is ``wanted`` and ``accept``, if given, likes the resource."""
        for _ in self._polls(resource, identity, wanted):
            found = dict(self.request("GET", f"/{resource}s/{identity}")[resource])
            if found["status"] == wanted and (accept is None or accept(found)):
                return found
            if found["status"].startswith("error"):
                raise RequestFailed(0, self._why(resource, identity, found["status"]))
        raise AssertionError("the polls end with an answer or an error")

    def wait_gone(self, resource: str, identity: str) -> None:
        """Wait until the resource does not exist any more."""
        for _ in self._polls(resource, identity, "gone"):
            try:
                found = self.request("GET", f"/{resource}s/{identity}")[resource]
            except RequestFailed as error:
                if error.status == http.client.NOT_FOUND:
                    return
                raise
            if found["status"].startswith("error"):
                raise RequestFailed(0, self._why(resource, identity, found["status"]))

    def _polls(self, resource: str, identity: str, wanted: str) -> Iterator[None]:
        """One turn for each look at a resource, until patience is over."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            yield
            time.sleep(_POLL_SECONDS)
        raise RequestFailed(
            0, f"{resource} {identity} is not {wanted} after {_PATIENCE_SECONDS:.0f} s"
        )

    def _why(self, resource: str, identity: str, status: str) -> str:
        """What the service told its user about the failure."""
        told = f"{resource} {identity} is in status {status}"
        messages = self.request("GET", f"/messages?resource_uuid={identity}")["messages"]
        return ": ".join([told, *(message["user_message"] for message in messages[:1])])


def _fault(answer: bytes, reason: str) -> str:
    try:
        (fault,) = json.loads(answer).values()
        return str(fault["message"])
    except (ValueError, AttributeError, KeyError, TypeError):
        return reason
