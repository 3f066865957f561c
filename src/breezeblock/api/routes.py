"""The whole interface: every route with its versions, policy, schemas and handler.

Everything else is made of this table: the router, the checks before a handler, the OpenAPI
document, and the tests that walk all routes.
"""

from __future__ import annotations

from functools import partial

from breezeblock.api import (
    attachments,
    backends,
    extensions,
    loading,
    messages,
    operations,
    quotas,
    snapshot_metadata,
    snapshots,
    versions,
    volume_actions,
    volume_metadata,
    volume_types,
    volumes,
)
from breezeblock.api.parameters import (
    ALL_TENANTS,
    ALL_TENANTS_LENIENT,
    DELETE_FLAGS,
    FILTERS_OF_SERVICES,
    IS_PUBLIC,
    LIMITS_PROJECT,
    PAGING,
    POOL_DETAIL,
    USAGE,
    VOLUME_FILTERS,
    WITH_COUNT,
    filters_of,
)
from breezeblock.api.route import Prefix, Query, Route
from breezeblock.api.schemas import administration as administration_schemas
from breezeblock.api.schemas import attachments as attachment_schemas
from breezeblock.api.schemas import snapshots as snapshot_schemas
from breezeblock.api.schemas import volume_types as type_schemas
from breezeblock.api.schemas import volumes as volume_schemas

GET = partial(Route, method="GET")
PUT = partial(Route, method="PUT")
POST = partial(Route, method="POST")
DELETE = partial(Route, method="DELETE")

_VOLUME = "/volumes/{id}"
_SNAPSHOT = "/snapshots/{id}"
_ATTACHMENT = "/attachments/{id}"
_TYPE = "/types/{id}"

# One row a route: spread out, the table could no longer be seen as one.
# fmt: off

# ---- the service itself ------------------------------------------------------------------------

SERVICE = (
    GET(path="/", prefix=Prefix.ROOT, handler=versions.versions, open=True, success=300,
        response="versions", summary="The versions of the interface."),
    GET(path="/healthcheck", prefix=Prefix.ROOT, handler=versions.health, open=True,
        response="text", summary="Whether this process can serve; 503 to be left alone."),
    GET(path="/openapi.json", prefix=Prefix.ROOT, handler=versions.document, open=True,
        queries=(Query("microversion"),), response="document",
        summary="This document, at the newest version or the one asked for."),
    GET(path="/", handler=versions.versions, response="versions", summary="What version 3 offers."),
    GET(path="/extensions", handler=extensions.index, response="extensions",
        summary="The extensions that clients may look for."),
    GET(path="/extensions/{id}", handler=extensions.show, response="extension",
        summary="One extension."),
)

# ---- volumes -----------------------------------------------------------------------------------

_VOLUME_LIST: tuple[Query, ...] = (*PAGING, ALL_TENANTS, WITH_COUNT, *VOLUME_FILTERS)

VOLUMES = (
    GET(path="/volumes", handler=volumes.list_summary, policy="volume:get_all",
        queries=_VOLUME_LIST, response="volumes_summary", summary="List volumes."),
    GET(path="/volumes/detail", handler=volumes.list_detail, policy="volume:get_all",
        queries=_VOLUME_LIST, response="volumes", summary="List volumes with all their fields."),
    GET(path="/volumes/summary", handler=volumes.totals, since=12, policy="volume:get_all",
        queries=(ALL_TENANTS, *VOLUME_FILTERS), response="volume_summary",
        summary="How many volumes there are, and their size."),
    POST(path="/volumes", handler=volumes.create, policy="volume:create",
         bodies=volume_schemas.CREATE, success=202, response="volume_written",
         summary="Create a volume, empty or from a snapshot or another volume."),
    GET(path=_VOLUME, handler=volumes.show, policy="volume:get", load=loading.volume, miss=404,
        response="volume", summary="Show a volume."),
    PUT(path=_VOLUME, handler=volumes.update, policy="volume:update", load=loading.volume,
        bodies=volume_schemas.UPDATE, response="volume_written",
        summary="Rename a volume, describe it, or add metadata."),
    DELETE(path=_VOLUME, handler=volumes.delete, policy="volume:delete", load=loading.volume,
           queries=DELETE_FLAGS, success=202, summary="Delete a volume."),
    GET(path=f"{_VOLUME}/encryption", handler=volumes.encryption, load=loading.volume, miss=404,
        policy="volume_extension:volume_encryption_metadata", response="volume_encryption",
        summary="How a volume is encrypted."),
    GET(path=f"{_VOLUME}/encryption/{{key}}", handler=volumes.encryption_value,
        load=loading.volume, miss=404, policy="volume_extension:volume_encryption_metadata",
        response="text", summary="One fact about how a volume is encrypted."),
    GET(path=f"{_VOLUME}/metadata", handler=volume_metadata.index, load=loading.volume, miss=404,
        policy="volume:get_volume_metadata", response="metadata",
        summary="The metadata of a volume."),
    POST(path=f"{_VOLUME}/metadata", handler=volume_metadata.create, load=loading.volume,
         policy="volume:create_volume_metadata", bodies=volume_schemas.METADATA_MAP,
         response="metadata", summary="Add metadata to a volume."),
    PUT(path=f"{_VOLUME}/metadata", handler=volume_metadata.update_all, load=loading.volume,
        policy="volume:update_volume_metadata", bodies=volume_schemas.METADATA_MAP,
        response="metadata", summary="Replace all metadata of a volume."),
    GET(path=f"{_VOLUME}/metadata/{{key}}", handler=volume_metadata.show, load=loading.volume,
        miss=404, policy="volume:get_volume_metadata", response="meta",
        summary="One item of a volume's metadata."),
    PUT(path=f"{_VOLUME}/metadata/{{key}}", handler=volume_metadata.update, load=loading.volume,
        policy="volume:update_volume_metadata", bodies=volume_schemas.METADATA_ITEM,
        response="meta", summary="Set one item of a volume's metadata."),
    DELETE(path=f"{_VOLUME}/metadata/{{key}}", handler=volume_metadata.delete,
           load=loading.volume, policy="volume:delete_volume_metadata",
           summary="Remove one item of a volume's metadata."),
)

_VOLUME_ACTION = partial(
    POST, path=f"{_VOLUME}/action", load=loading.volume, success=202, bodies=volume_schemas.NOTHING
)
_ACTIONS = "volume_extension:volume_actions"
_ADMIN_ACTIONS = "volume_extension:volume_admin_actions"

VOLUME_ACTIONS = (
    _VOLUME_ACTION(action="os-attach", handler=volume_actions.attach, policy=f"{_ACTIONS}:attach",
                   bodies=volume_schemas.ATTACH, summary="Record that a volume is attached."),
    _VOLUME_ACTION(action="os-detach", handler=volume_actions.detach, policy=f"{_ACTIONS}:detach",
                   bodies=volume_schemas.DETACH, summary="Record that a volume is detached."),
    _VOLUME_ACTION(action="os-reserve", handler=volume_actions.reserve,
                   policy=f"{_ACTIONS}:reserve", summary="Mark a volume as attaching."),
    _VOLUME_ACTION(action="os-unreserve", handler=volume_actions.unreserve,
                   policy=f"{_ACTIONS}:unreserve", summary="Take that mark back."),
    _VOLUME_ACTION(action="os-begin_detaching", handler=volume_actions.begin_detaching,
                   policy=f"{_ACTIONS}:begin_detaching", summary="Mark a volume as detaching."),
    _VOLUME_ACTION(action="os-roll_detaching", handler=volume_actions.roll_detaching,
                   policy=f"{_ACTIONS}:roll_detaching", summary="Take that mark back."),
    _VOLUME_ACTION(action="os-initialize_connection", handler=volume_actions.initialize_connection,
                   policy=f"{_ACTIONS}:initialize_connection", success=200,
                   bodies=volume_schemas.INITIALIZE, response="connection_info",
                   summary="Export a volume to a consumer."),
    _VOLUME_ACTION(action="os-terminate_connection", handler=volume_actions.terminate_connection,
                   policy=f"{_ACTIONS}:terminate_connection", bodies=volume_schemas.TERMINATE,
                   summary="End an export."),
    _VOLUME_ACTION(action="os-extend", handler=volume_actions.extend, policy="volume:extend",
                   bodies=volume_schemas.EXTEND, summary="Extend a volume."),
    _VOLUME_ACTION(action="revert", handler=volume_actions.revert, since=40,
                   policy="volume:revert_to_snapshot", bodies=volume_schemas.REVERT,
                   summary="Revert a volume to its latest snapshot."),
    _VOLUME_ACTION(action="os-set_bootable", handler=volume_actions.set_bootable,
                   policy="volume:update", bodies=volume_schemas.BOOTABLE, success=200,
                   summary="Set whether a volume can boot."),
    _VOLUME_ACTION(action="os-update_readonly_flag", handler=volume_actions.update_readonly_flag,
                   policy="volume:update_readonly_flag", bodies=volume_schemas.READONLY,
                   summary="Make a volume read-only, or writable."),
    _VOLUME_ACTION(action="os-reset_status", handler=volume_actions.reset_status,
                   policy=f"{_ADMIN_ACTIONS}:reset_status", bodies=volume_schemas.RESET,
                   summary="Force the status of a volume."),
    _VOLUME_ACTION(action="os-force_delete", handler=volume_actions.force_delete,
                   policy=f"{_ADMIN_ACTIONS}:force_delete",
                   summary="Delete a volume whatever its status."),
    _VOLUME_ACTION(action="os-force_detach", handler=volume_actions.force_detach,
                   policy=f"{_ADMIN_ACTIONS}:force_detach", bodies=volume_schemas.FORCE_DETACH,
                   summary="Detach a volume without asking its consumer."),
)

# ---- snapshots ---------------------------------------------------------------------------------

_SNAPSHOT_LIST: tuple[Query, ...] = (
    *PAGING, ALL_TENANTS_LENIENT, WITH_COUNT,
    *filters_of("name", "status", "volume_id", "metadata"),
)
_SNAPSHOT_ACTION = partial(POST, path=f"{_SNAPSHOT}/action", load=loading.snapshot, success=202)
_SNAPSHOT_ADMIN = "volume_extension:snapshot_admin_actions"

SNAPSHOTS = (
    GET(path="/snapshots", handler=snapshots.list_summary, policy="volume:get_all_snapshots",
        queries=_SNAPSHOT_LIST, response="snapshots_summary", summary="List snapshots."),
    GET(path="/snapshots/detail", handler=snapshots.list_detail,
        policy="volume:get_all_snapshots", queries=_SNAPSHOT_LIST, response="snapshots",
        summary="List snapshots with all their fields."),
    POST(path="/snapshots", handler=snapshots.create, policy="volume:create_snapshot",
         bodies=snapshot_schemas.CREATE, success=202, response="snapshot_written",
         summary="Take a snapshot of a volume."),
    GET(path=_SNAPSHOT, handler=snapshots.show, policy="volume:get_snapshot",
        load=loading.snapshot, response="snapshot", summary="Show a snapshot."),
    PUT(path=_SNAPSHOT, handler=snapshots.update, policy="volume:update_snapshot",
        load=loading.snapshot, bodies=snapshot_schemas.UPDATE, response="snapshot_written",
        summary="Rename a snapshot or describe it."),
    DELETE(path=_SNAPSHOT, handler=snapshots.delete, policy="volume:delete_snapshot",
           load=loading.snapshot, success=202, summary="Delete a snapshot."),
    _SNAPSHOT_ACTION(action="os-reset_status", handler=snapshots.reset_status,
                     policy=f"{_SNAPSHOT_ADMIN}:reset_status", bodies=snapshot_schemas.RESET,
                     summary="Force the status of a snapshot."),
    _SNAPSHOT_ACTION(action="os-force_delete", handler=snapshots.force_delete,
                     policy=f"{_SNAPSHOT_ADMIN}:force_delete", bodies=snapshot_schemas.NOTHING,
                     summary="Delete a snapshot whatever its status."),
    _SNAPSHOT_ACTION(action="os-update_snapshot_status", handler=snapshots.update_status,
                     policy="snapshot_extension:snapshot_actions:update_snapshot_status",
                     bodies=snapshot_schemas.UPDATE_STATUS,
                     summary="Report how a hypervisor's snapshot goes."),
    GET(path=f"{_SNAPSHOT}/metadata", handler=snapshot_metadata.index, load=loading.snapshot,
        policy="volume:get_snapshot_metadata", response="metadata",
        summary="The metadata of a snapshot."),
    POST(path=f"{_SNAPSHOT}/metadata", handler=snapshot_metadata.create, load=loading.snapshot,
         policy="volume:update_snapshot_metadata", bodies=snapshot_schemas.METADATA_MAP,
         response="metadata", summary="Add metadata to a snapshot."),
    PUT(path=f"{_SNAPSHOT}/metadata", handler=snapshot_metadata.update_all,
        load=loading.snapshot, policy="volume:update_snapshot_metadata",
        bodies=snapshot_schemas.METADATA_MAP, response="metadata",
        summary="Replace all metadata of a snapshot."),
    GET(path=f"{_SNAPSHOT}/metadata/{{key}}", handler=snapshot_metadata.show,
        load=loading.snapshot, policy="volume:get_snapshot_metadata", response="meta",
        summary="One item of a snapshot's metadata."),
    PUT(path=f"{_SNAPSHOT}/metadata/{{key}}", handler=snapshot_metadata.update,
        load=loading.snapshot, policy="volume:update_snapshot_metadata",
        bodies=snapshot_schemas.METADATA_ITEM, response="meta",
        summary="Set one item of a snapshot's metadata."),
    DELETE(path=f"{_SNAPSHOT}/metadata/{{key}}", handler=snapshot_metadata.delete,
           load=loading.snapshot, policy="volume:delete_snapshot_metadata",
           summary="Remove one item of a snapshot's metadata."),
)

# ---- attachments -------------------------------------------------------------------------------

_ATTACHMENT_LIST: tuple[Query, ...] = (
    *PAGING, ALL_TENANTS_LENIENT,
    *filters_of("volume_id", "status", "instance_id", "attach_status"),
)

ATTACHMENTS = (
    GET(path="/attachments", handler=attachments.list_summary, since=27, queries=_ATTACHMENT_LIST,
        response="attachments_summary", summary="List attachments."),
    GET(path="/attachments/detail", handler=attachments.list_detail, since=27,
        queries=_ATTACHMENT_LIST, response="attachments",
        summary="List attachments with all their fields."),
    POST(path="/attachments", handler=attachments.create, since=27,
         policy="volume:attachment_create", bodies=attachment_schemas.CREATE,
         response="attachment", summary="Reserve a volume for a consumer."),
    GET(path=_ATTACHMENT, handler=attachments.show, since=27, load=loading.attachment,
        response="attachment", summary="Show an attachment."),
    PUT(path=_ATTACHMENT, handler=attachments.update, since=27, load=loading.attachment,
        policy="volume:attachment_update", bodies=attachment_schemas.UPDATE,
        response="attachment", summary="Connect an attachment's consumer."),
    DELETE(path=_ATTACHMENT, handler=attachments.delete, since=27, load=loading.attachment,
           policy="volume:attachment_delete", response="attachments_summary",
           summary="Detach a consumer."),
    POST(path=f"{_ATTACHMENT}/action", action="os-complete", handler=attachments.complete,
         since=44, load=loading.attachment, policy="volume:attachment_complete",
         bodies=attachment_schemas.COMPLETE, success=204, summary="Mark a volume as attached."),
)

# ---- types -------------------------------------------------------------------------------------

_SPECS = "volume_extension:types_extra_specs"
_ACCESS = "volume_extension:volume_type_access"
_TYPE_ACTION = partial(
    POST, path=f"{_TYPE}/action", load=loading.volume_type, success=202, bodies=type_schemas.ACCESS
)

TYPES = (
    GET(path="/types", handler=volume_types.index, policy="volume_extension:type_get_all",
        queries=(*PAGING, IS_PUBLIC), response="volume_types", summary="List volume types."),
    POST(path="/types", handler=volume_types.create, policy="volume_extension:type_create",
         bodies=type_schemas.CREATE, response="volume_type_written",
         summary="Create a volume type."),
    GET(path=_TYPE, handler=volume_types.show, policy="volume_extension:type_get",
        load=loading.volume_type, response="volume_type",
        summary="Show a volume type; `default` is the caller's default one."),
    PUT(path=_TYPE, handler=volume_types.update, policy="volume_extension:type_update",
        load=loading.volume_type, bodies=type_schemas.UPDATE, response="volume_type_written",
        summary="Change a volume type."),
    DELETE(path=_TYPE, handler=volume_types.delete, policy="volume_extension:type_delete",
           load=loading.volume_type, success=202, summary="Delete a volume type."),
    GET(path=f"{_TYPE}/extra_specs", handler=volume_types.specs, policy=f"{_SPECS}:index",
        load=loading.volume_type, response="extra_specs", summary="The extra specs of a type."),
    POST(path=f"{_TYPE}/extra_specs", handler=volume_types.create_specs,
         policy=f"{_SPECS}:create", load=loading.volume_type, bodies=type_schemas.SPECS,
         response="extra_specs", summary="Add extra specs to a type."),
    GET(path=f"{_TYPE}/extra_specs/{{key}}", handler=volume_types.show_spec,
        policy=f"{_SPECS}:show", load=loading.volume_type, response="extra_spec",
        summary="One extra spec of a type."),
    PUT(path=f"{_TYPE}/extra_specs/{{key}}", handler=volume_types.update_spec,
        policy=f"{_SPECS}:update", load=loading.volume_type, bodies=type_schemas.SPEC,
        response="extra_spec", summary="Set one extra spec of a type."),
    DELETE(path=f"{_TYPE}/extra_specs/{{key}}", handler=volume_types.delete_spec,
           policy=f"{_SPECS}:delete", load=loading.volume_type, success=202,
           summary="Remove one extra spec of a type."),
    GET(path=f"{_TYPE}/os-volume-type-access", handler=volume_types.access,
        policy=f"{_ACCESS}:get_all_for_type", load=loading.volume_type,
        response="volume_type_access", summary="The projects that may use a private type."),
    _TYPE_ACTION(action="addProjectAccess", handler=volume_types.add_access,
                 policy=f"{_ACCESS}:addProjectAccess", summary="Let a project use a private type."),
    _TYPE_ACTION(action="removeProjectAccess", handler=volume_types.remove_access,
                 policy=f"{_ACCESS}:removeProjectAccess", summary="Take that back."),
)

# ---- quotas, backends, messages, operations ----------------------------------------------------

_QUOTA = "/os-quota-sets/{id}"
_STATS = "scheduler_extension:scheduler_stats"
_SERVICE_SWITCH = partial(
    PUT, policy="volume_extension:services:update", bodies=administration_schemas.SERVICE,
    response="service_switched",
)

# The handlers of quotas ask their policy themselves: its target is the project in the path.
ADMINISTRATION = (
    GET(path=_QUOTA, handler=quotas.show, queries=(USAGE,), response="quota_set",
        summary="The quotas of a project."),
    GET(path=f"{_QUOTA}/defaults", handler=quotas.defaults, response="quota_set",
        summary="The default quotas."),
    PUT(path=_QUOTA, handler=quotas.update, bodies=administration_schemas.QUOTA_UPDATE,
        response="quota_set_written", summary="Set quotas of a project."),
    DELETE(path=_QUOTA, handler=quotas.reset, summary="Reset the quotas of a project."),
    GET(path="/limits", handler=quotas.limits, queries=LIMITS_PROJECT, response="limits",
        summary="Absolute limits and what is used of them."),
    GET(path="/os-availability-zone", handler=backends.availability_zones,
        response="availability_zones", summary="The availability zones."),
    GET(path="/os-services", handler=backends.services, queries=FILTERS_OF_SERVICES,
        policy="volume_extension:services:index", response="services", summary="List services."),
    _SERVICE_SWITCH(path="/os-services/enable", handler=backends.enable,
                    summary="Enable a service."),
    _SERVICE_SWITCH(path="/os-services/disable", handler=backends.disable,
                    summary="Disable a service: nothing new is placed there."),
    _SERVICE_SWITCH(path="/os-services/disable-log-reason", handler=backends.disable_with_reason,
                    bodies=administration_schemas.SERVICE_REASON,
                    summary="Disable a service and say why."),
    GET(path="/scheduler-stats/get_pools", handler=backends.pools, policy=f"{_STATS}:get_pools",
        queries=POOL_DETAIL, response="pools", summary="List pools."),
    GET(path="/capabilities/{id}", handler=backends.capabilities,
        policy="volume_extension:capabilities", response="capabilities",
        summary="What a backend can do."),
    GET(path="/messages", handler=messages.index, since=3, policy="message:get_all",
        queries=PAGING, response="messages", summary="List user messages."),
    GET(path="/messages/{id}", handler=messages.show, since=3, policy="message:get",
        load=loading.message, response="message", summary="Show a user message."),
    DELETE(path="/messages/{id}", handler=messages.delete, since=3, policy="message:delete",
           load=loading.message, success=204, summary="Delete a user message."),
    GET(path="/operations", handler=operations.index, policy="breezeblock:operations:get_all",
        queries=(*PAGING, ALL_TENANTS_LENIENT,
                 *filters_of("kind", "state", "resource_type", "resource_id")),
        response="operations", summary="List running and finished operations, with progress."),
    GET(path="/operations/{id}", handler=operations.show, policy="breezeblock:operations:get",
        load=loading.operation, response="operation", summary="Show an operation."),
)

ROUTES: tuple[Route, ...] = (
    *SERVICE, *VOLUMES, *VOLUME_ACTIONS, *SNAPSHOTS, *ATTACHMENTS, *TYPES, *ADMINISTRATION,
)
# fmt: on
