"""User messages: why something that a user asked for did not happen, and what to do."""

from __future__ import annotations

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import MessageNotFound
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import Message
from breezeblock.services.deployment import Deployment, list_scope, scope
from breezeblock.store import messages


class Messages:
    """Requests about user messages."""

    def __init__(self, deployment: Deployment) -> None:
        self._database = deployment.database

    def get(self, ctx: RequestContext, message_id: str) -> Message:
        """Raises MessageNotFound."""
        with self._database.read() as connection:
            return messages.get(connection, message_id, scope(ctx))

    def list(self, ctx: RequestContext, query: ListQuery) -> Page[Message]:
        project_id = list_scope(ctx, all_projects=query.all_projects)
        with self._database.read() as connection:
            return messages.list_page(connection, query, project_id)

    def delete(self, ctx: RequestContext, message: Message) -> None:
        """Raises MessageNotFound when somebody else was quicker."""
        if not self._database.transact(lambda tx: messages.delete(tx, message.id)):
            raise MessageNotFound(id=message.id)
