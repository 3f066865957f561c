"""Contexts with a connection or an image of their own, under the names that the field knows.

The verbs use ``images``, which shares one connection; these are for tools that bring a driver.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self

from breezeblock.drivers.rbd.bindings import Bindings
from breezeblock.drivers.rbd.names import ascii_str


class Connector(Protocol):
    """What they use of a driver."""

    @property
    def bindings(self) -> Bindings: ...
    def _connect_to_rados(
        self, pool: str | None = None, remote: Any = None, timeout: int | None = None
    ) -> tuple[Any, Any]: ...
    def _disconnect_from_rados(self, client: Any, ioctx: Any) -> None: ...


class RADOSClient:
    """A connection to the cluster and a pool, released at the end, also after an error."""

    def __init__(self, driver: Connector, pool: str | None = None) -> None:
        self.driver = driver
        self.cluster, self.ioctx = driver._connect_to_rados(pool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.driver._disconnect_from_rados(self.cluster, self.ioctx)

    @property
    def features(self) -> int:
        """The cluster's default feature bits of images; layering alone if it has none."""
        configured = self.cluster.conf_get("rbd_default_features")
        return self.driver.bindings.feature_bits(configured)


class RBDVolumeProxy:
    """One opened image, to which every other attribute is forwarded.

    ``client`` and ``ioctx`` are those of the image.  Given by the caller they are used and left
    open, and ``pool``, ``remote`` and ``timeout`` count for nothing; else a connection is made for
    the image and ended with it.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the field's signature
        self,
        driver: Connector,
        name: str,
        pool: str | None = None,
        snapshot: str | None = None,
        read_only: bool = False,
        remote: Any = None,
        timeout: int | None = None,
        client: Any = None,
        ioctx: Any = None,
    ) -> None:
        self._close_conn = not (client and ioctx)
        if self._close_conn:
            client, ioctx = driver._connect_to_rados(pool, remote, timeout)
        try:
            self.volume = driver.bindings.rbd.Image(
                ioctx, ascii_str(name), snapshot=ascii_str(snapshot), read_only=read_only
            )
        except BaseException:
            if self._close_conn:
                driver._disconnect_from_rados(client, ioctx)
            raise
        self.driver = driver
        self.client = client
        self.ioctx = ioctx

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.volume.close()
        finally:
            if self._close_conn:
                self.driver._disconnect_from_rados(self.client, self.ioctx)

    def __getattr__(self, name: str) -> Any:
        if name == "volume":
            raise AttributeError(name)
        return getattr(self.volume, name)
