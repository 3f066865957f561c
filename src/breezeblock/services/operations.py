"""Running and finished operations, for people: what is going on and how far it is."""

from __future__ import annotations

from breezeblock.domain.context import RequestContext
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.operations import journal
from breezeblock.operations.record import Operation
from breezeblock.services.deployment import Deployment, list_scope, scope


class Operations:
    """Requests about operations."""

    def __init__(self, deployment: Deployment) -> None:
        self._database = deployment.database

    def get(self, ctx: RequestContext, operation_id: str) -> Operation:
        """Raises OperationNotFound."""
        with self._database.read() as connection:
            return journal.get(connection, operation_id, scope(ctx))

    def list(self, ctx: RequestContext, query: ListQuery) -> Page[Operation]:
        project_id = list_scope(ctx, all_projects=query.all_projects)
        with self._database.read() as connection:
            return journal.list_page(connection, query, project_id)
