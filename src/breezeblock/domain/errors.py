"""Every error a caller can be told, in one table.

Each class has a stable ``symbol`` for programs, the HTTP ``status`` the API answers with, and a
``template``: the sentence for people, filled from the error's fields.  Classes below a
common parent let callers catch a family; nothing else hangs on the hierarchy.
"""

from __future__ import annotations

from typing import Any, ClassVar


class BreezeblockError(Exception):
    """Base of all errors that have words for the user.

    ``fields`` fill the template.  ``transient`` says that the same call may succeed later, so an
    operation's step is tried again.
    """

    symbol: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    template: ClassVar[str] = "An unexpected error occurred."
    transient: bool = False

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        self.fields = fields
        self.message = message if message is not None else self.template.format(**fields)
        super().__init__(self.message)


# ---- 400: the request cannot be meant -------------------------------------------------------


class InvalidInput(BreezeblockError):
    symbol = "invalid-input"
    status = 400
    template = "Invalid input received: {reason}"


class InvalidVolume(InvalidInput):
    symbol = "invalid-volume"
    template = "Invalid volume: {reason}"


class InvalidSnapshot(InvalidInput):
    symbol = "invalid-snapshot"
    template = "Invalid snapshot: {reason}"


class InvalidAttachment(InvalidInput):
    symbol = "invalid-attachment"
    template = "Invalid attachment: {reason}"


class InvalidVolumeType(InvalidInput):
    symbol = "invalid-volume-type"
    template = "Invalid volume type: {reason}"


class InvalidConnector(InvalidInput):
    symbol = "invalid-connector"
    template = "The connector lacks {missing}, which this backend needs to export the volume."


class AvailabilityZoneUnknown(InvalidInput):
    symbol = "unknown-availability-zone"
    template = (
        "Availability zone '{zone}' is invalid. Ask os-availability-zone for those that exist."
    )


class NotSupportedByBackend(InvalidInput):
    symbol = "not-supported-by-backend"
    template = "Backend {backend} cannot {ability}."


# ---- 403, 404, 405, 409, 413 ----------------------------------------------------------------


class NotFound(BreezeblockError):
    symbol = "not-found"
    status = 404
    template = "Resource {id} could not be found."


class VolumeNotFound(NotFound):
    symbol = "volume-not-found"
    template = "Volume {id} could not be found."


class SnapshotNotFound(NotFound):
    symbol = "snapshot-not-found"
    template = "Snapshot {id} could not be found."


class AttachmentNotFound(NotFound):
    symbol = "attachment-not-found"
    template = "Attachment {id} could not be found."


class VolumeTypeNotFound(NotFound):
    symbol = "volume-type-not-found"
    template = "Volume type {id} could not be found."


class ServiceNotFound(NotFound):
    symbol = "service-not-found"
    template = "Service {id} could not be found."


class MessageNotFound(NotFound):
    symbol = "message-not-found"
    template = "Message {id} could not be found."


class OperationNotFound(NotFound):
    symbol = "operation-not-found"
    template = "Operation {id} could not be found."


class MetadataNotFound(NotFound):
    symbol = "metadata-not-found"
    template = "Metadata item {id} could not be found."


class ExtraSpecNotFound(NotFound):
    symbol = "extra-spec-not-found"
    template = "Extra spec {id} could not be found."


class TypeAccessNotFound(NotFound):
    symbol = "type-access-not-found"
    template = "Volume type access for project {id} could not be found."


class Conflict(BreezeblockError):
    symbol = "conflict"
    status = 409
    template = "{reason}"


class VolumeTypeExists(Conflict):
    symbol = "volume-type-exists"
    template = "Volume type {id} already exists."


class TypeAccessExists(Conflict):
    symbol = "type-access-exists"
    template = "Volume type access for project {id} already exists."


class OverQuota(BreezeblockError):
    """A limit would be exceeded; answered with ``Retry-After: 0``."""

    symbol = "over-quota"
    status = 413
    template = "Quota exceeded for {resource}: {requested} requested, {used} of {limit} used."


class PerVolumeSizeExceeded(OverQuota):
    symbol = "volume-too-large"
    template = "Requested volume size {size} GiB is larger than the maximum allowed, {limit} GiB."


# ---- 5xx: ours -----------------------------------------------------------------------------


class OperationTimeout(BreezeblockError):
    symbol = "operation-timeout"
    status = 504
    template = (
        "The backend did not finish {kind} within {seconds} s. It goes on: ask for operation {id}."
    )


class OperationFailed(BreezeblockError):
    """A request that waits for its operation is told that the operation failed."""

    symbol = "operation-failed"
    status = 500
    template = "{reason}"


class NoValidBackend(BreezeblockError):
    symbol = "no-valid-backend"
    status = 500
    template = "No valid backend was found: {reason}"


class DefaultTypeMisconfigured(BreezeblockError):
    symbol = "default-type-misconfigured"
    status = 500
    template = (
        "The default volume type '{name}' does not exist. "
        "Set default_volume_type to an existing type or create it."
    )
