"""JSON-RPC to SPDK, through the HTTP proxy that SPDK ships (``scripts/rpc_http_proxy.py``).

One POST is one call; the proxy demands basic authentication.  Source: SPDK's "JSON-RPC" document.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from breezeblock.targets.errors import TargetError, TargetUnavailable

#: SPDK answers with a negative errno, or with one of JSON-RPC's own codes.
NO_SUCH_DEVICE = -19


class SpdkError(TargetError):
    """SPDK refused a call; ``code`` is its number for why."""

    symbol = "spdk-error"
    template = "SPDK refused {method}: {message} (code {code})"

    def __init__(self, method: str, code: int, message: str) -> None:
        fields: Mapping[str, Any] = {"method": method, "code": code, "message": message}
        super().__init__(self.template.format(**fields), method=method, code=code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SpdkEndpoint:
    """Where SPDK's proxy listens.  ``authorities`` is a PEM file, None means the system's."""

    address: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    verify: bool = False
    authorities: str | None = None
    timeout: float = 30.0


class SpdkClient:
    """Calls to one SPDK.  Holds no connection; safe to use from any thread."""

    def __init__(self, endpoint: SpdkEndpoint) -> None:
        self._endpoint = endpoint
        self._ids = itertools.count(1)

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of ``method``.  Raises ``SpdkError`` and ``TargetUnavailable``."""
        request: dict[str, Any] = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        if parameters:
            request["params"] = parameters
        status, body = self._post(json.dumps(request).encode())
        if status == http.client.UNAUTHORIZED:
            raise TargetError(
                reason=f"SPDK at {self._where} does not accept the account. Set "
                "spdk_rpc_username and spdk_rpc_password to those of its proxy"
            )
        answer = self._parse(status, body)
        if "error" in answer:
            error = answer["error"]
            raise SpdkError(method, int(error.get("code", 0)), str(error.get("message", "")))
        return answer.get("result")

    @property
    def _where(self) -> str:
        return f"{self._endpoint.address}:{self._endpoint.port}"

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request("POST", "/", body, self._headers())
            response = connection.getresponse()
            return response.status, response.read()
        except ssl.SSLCertVerificationError as failure:
            raise TargetError(
                reason=f"the certificate of SPDK at {self._where} is not trusted: "
                f"{failure.verify_message}. Set driver_ssl_cert_path to its authority"
            ) from failure
        except (OSError, http.client.HTTPException) as failure:
            raise self._unavailable(str(failure) or type(failure).__name__) from failure
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        endpoint = self._endpoint
        if not endpoint.tls:
            return http.client.HTTPConnection(
                endpoint.address, endpoint.port, timeout=endpoint.timeout
            )
        context = ssl.create_default_context(cafile=endpoint.authorities)
        if not endpoint.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(
            endpoint.address, endpoint.port, timeout=endpoint.timeout, context=context
        )

    def _headers(self) -> dict[str, str]:
        account = f"{self._endpoint.user}:{self._endpoint.password}".encode()
        return {
            "Content-Type": "application/json",
            "Authorization": f"Basic {base64.b64encode(account).decode()}",
        }

    def _parse(self, status: int, body: bytes) -> dict[str, Any]:
        """The proxy answers 500 and nonsense when SPDK behind it is away."""
        try:
            answer = json.loads(body)
        except ValueError as failure:
            raise self._unavailable(f"HTTP status {status} without an answer of SPDK") from failure
        if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
            raise self._unavailable(f"HTTP status {status} without an answer of SPDK")
        return answer

    def _unavailable(self, why: str) -> TargetUnavailable:
        return TargetUnavailable(
            reason=f"SPDK at {self._where}: {why}. Do SPDK and its RPC proxy run?",
            transient=True,
        )
