"""Every policy rule of the API with its default, as one table.

Names and defaults are those of the Block Storage API v3, so operators' policy files apply as they
are.  `route.Route.policy` and the fields of the views name rules of this table.
"""

from __future__ import annotations

from oslo_policy import policy

ADMIN = "rule:admin_api"
READER = "rule:xena_system_admin_or_project_reader"
MEMBER = "rule:xena_system_admin_or_project_member"

BASE: tuple[tuple[str, str, str], ...] = (
    ("context_is_admin", "role:admin", "Decides who is an administrator."),
    (
        "admin_or_owner",
        "rule:context_is_admin or project_id:%(project_id)s",
        "Anybody of the project: the default of old, granted again while "
        "enforce_new_defaults is false.",
    ),
    ("admin_api", "rule:context_is_admin and is_admin_project:True", "Administrators."),
    (
        "xena_system_admin_or_project_reader",
        "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
        "Administrators, and readers of the project.",
    ),
    (
        "xena_system_admin_or_project_member",
        "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        "Administrators, and members of the project.",
    ),
)

_ACTIONS = "volume_extension:volume_actions"
_ADMIN_ACTIONS = "volume_extension:volume_admin_actions"
_SPECS = "volume_extension:types_extra_specs"
_ACCESS = "volume_extension:volume_type_access"

# Rule, default, what it guards.
TABLE: tuple[tuple[str, str, str], ...] = (
    ("volume:create", MEMBER, "Create a volume."),
    ("volume:get", READER, "Show a volume."),
    ("volume:get_all", READER, "List volumes, and their totals."),
    ("volume:update", MEMBER, "Rename a volume, describe it, or set whether it can boot."),
    ("volume:delete", MEMBER, "Delete a volume."),
    ("volume:force_delete", ADMIN, "Delete a volume whatever its status."),
    ("volume:extend", MEMBER, "Extend a volume."),
    ("volume:extend_attached_volume", MEMBER, "Extend a volume in use."),
    ("volume:revert_to_snapshot", MEMBER, "Revert a volume to its latest snapshot."),
    ("volume:update_readonly_flag", MEMBER, "Make a volume read-only, or writable."),
    ("volume:multiattach", MEMBER, "Create a volume that can be attached more than once."),
    ("volume:get_volume_metadata", READER, "Read the metadata of a volume."),
    ("volume:create_volume_metadata", MEMBER, "Add metadata to a volume."),
    ("volume:update_volume_metadata", MEMBER, "Change the metadata of a volume."),
    ("volume:delete_volume_metadata", MEMBER, "Remove metadata of a volume."),
    ("volume:update_volume_admin_metadata", ADMIN, "Change what only administrators may."),
    ("volume:create_snapshot", MEMBER, "Take a snapshot."),
    ("volume:get_snapshot", READER, "Show a snapshot."),
    ("volume:get_all_snapshots", READER, "List snapshots."),
    ("volume:update_snapshot", MEMBER, "Rename a snapshot or describe it."),
    ("volume:delete_snapshot", MEMBER, "Delete a snapshot."),
    ("volume:get_snapshot_metadata", READER, "Read the metadata of a snapshot."),
    ("volume:update_snapshot_metadata", MEMBER, "Change the metadata of a snapshot."),
    ("volume:delete_snapshot_metadata", MEMBER, "Remove metadata of a snapshot."),
    ("volume:attachment_create", MEMBER, "Reserve a volume for a consumer."),
    ("volume:attachment_update", MEMBER, "Connect an attachment."),
    ("volume:attachment_delete", MEMBER, "Remove an attachment."),
    ("volume:attachment_complete", MEMBER, "Complete an attachment."),
    ("volume:multiattach_bootable_volume", MEMBER, "Attach a boot volume more than once."),
    (f"{_ACTIONS}:attach", MEMBER, "Record that a volume is attached."),
    (f"{_ACTIONS}:detach", MEMBER, "Record that a volume is detached."),
    (f"{_ACTIONS}:reserve", MEMBER, "Mark a volume as attaching."),
    (f"{_ACTIONS}:unreserve", MEMBER, "Take that mark back."),
    (f"{_ACTIONS}:begin_detaching", MEMBER, "Mark a volume as detaching."),
    (f"{_ACTIONS}:roll_detaching", MEMBER, "Take that mark back."),
    (f"{_ACTIONS}:initialize_connection", MEMBER, "Export a volume to a consumer."),
    (f"{_ACTIONS}:terminate_connection", MEMBER, "End an export."),
    (f"{_ADMIN_ACTIONS}:reset_status", ADMIN, "Force the status of a volume."),
    (f"{_ADMIN_ACTIONS}:force_delete", ADMIN, "Delete a volume whatever its status."),
    (f"{_ADMIN_ACTIONS}:force_detach", ADMIN, "Detach a volume without asking its consumer."),
    ("volume_extension:snapshot_admin_actions:reset_status", ADMIN, "Force a snapshot's status."),
    (
        "volume_extension:snapshot_admin_actions:force_delete",
        ADMIN,
        "Delete a snapshot whatever its status.",
    ),
    (
        "snapshot_extension:snapshot_actions:update_snapshot_status",
        MEMBER,
        "Report how a hypervisor's snapshot goes.",
    ),
    ("volume_extension:volume_encryption_metadata", READER, "Read how a volume is encrypted."),
    ("volume_extension:volume_host_attribute", ADMIN, "See the pool of a volume."),
    ("volume_extension:volume_tenant_attribute", READER, "See the project of a volume."),
    ("volume_extension:volume_mig_status_attribute", ADMIN, "See how a migration goes."),
    ("volume_extension:volume_image_metadata:show", READER, "See a volume's image properties."),
    (
        "volume_extension:extended_snapshot_attributes",
        READER,
        "See the project and progress of a snapshot.",
    ),
    ("volume_extension:type_get_all", READER, "List volume types."),
    ("volume_extension:type_get", READER, "Show a volume type."),
    ("volume_extension:type_create", ADMIN, "Create a volume type."),
    ("volume_extension:type_update", ADMIN, "Change a volume type."),
    ("volume_extension:type_delete", ADMIN, "Delete a volume type."),
    (f"{_SPECS}:index", READER, "List the extra specs of a type."),
    (f"{_SPECS}:show", READER, "Show an extra spec."),
    (f"{_SPECS}:create", ADMIN, "Add extra specs."),
    (f"{_SPECS}:update", ADMIN, "Change an extra spec."),
    (f"{_SPECS}:delete", ADMIN, "Remove an extra spec."),
    (f"{_SPECS}:read_sensitive", ADMIN, "See all extra specs, not only those for users."),
    ("volume_extension:access_types_extra_specs", READER, "See extra specs in a type."),
    ("volume_extension:access_types_qos_specs_id", ADMIN, "See the QoS specs of a type."),
    (_ACCESS, MEMBER, "See whether a type is public."),
    (f"{_ACCESS}:get_all_for_type", ADMIN, "List the projects that may use a private type."),
    (f"{_ACCESS}:addProjectAccess", ADMIN, "Let a project use a private type."),
    (f"{_ACCESS}:removeProjectAccess", ADMIN, "Take that back."),
    ("volume_extension:quotas:show", READER, "Show the quotas of a project."),
    ("volume_extension:quotas:update", ADMIN, "Set the quotas of a project."),
    ("volume_extension:quotas:delete", ADMIN, "Reset the quotas of a project."),
    ("limits_extension:used_limits", READER, "See usage beside the limits."),
    ("volume_extension:services:index", ADMIN, "List services."),
    ("volume_extension:services:update", ADMIN, "Enable and disable services."),
    ("scheduler_extension:scheduler_stats:get_pools", ADMIN, "List pools."),
    ("volume_extension:capabilities", ADMIN, "Show the capabilities of a backend."),
    ("message:get_all", READER, "List user messages."),
    ("message:get", READER, "Show a user message."),
    ("message:delete", MEMBER, "Delete a user message."),
    ("breezeblock:operations:get_all", READER, "List running and finished operations."),
    ("breezeblock:operations:get", READER, "Show an operation."),
)


def rules() -> list[policy.RuleDefault]:
    """The table in oslo.policy's terms."""
    base = [policy.RuleDefault(name, check, description) for name, check, description in BASE]
    return base + [_documented(*row) for row in TABLE]


def _documented(name: str, check: str, description: str) -> policy.DocumentedRuleDefault:
    """A rule with its old default beside it: any role in the project was enough for what a
    reader or member does now.  oslo.policy grants it while ``enforce_new_defaults`` is false."""
    deprecated = None
    if check != ADMIN:
        deprecated = policy.DeprecatedRule(
            name,
            "rule:admin_or_owner",
            deprecated_reason="Roles of the project decide now.",
            deprecated_since="0.1.0",
        )
    return policy.DocumentedRuleDefault(
        name,
        check,
        description,
        # The paths are in the route table; this only has to be well formed for documents.
        [{"method": "*", "path": "/v3"}],
        deprecated_rule=deprecated,
    )
