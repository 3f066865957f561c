"""The Falcon application: one sink, and nothing of Falcon's own in the way."""

from __future__ import annotations

import falcon

from breezeblock.api.authentication.interface import Authenticator
from breezeblock.api.call import Tools
from breezeblock.api.dispatch import Dispatcher
from breezeblock.api.routes import ROUTES
from breezeblock.api.routing import Router


def build(
    tools: Tools, authenticator: Authenticator
) -> falcon.App[falcon.Request, falcon.Response]:
    """The WSGI application that serves the route table with these tools."""
    # Falcon's router and middleware stay unused: the table knows versions and actions, which
    # they do not, and every request takes the same way.
    app = falcon.App()
    app.add_sink(Dispatcher(Router(ROUTES), tools, authenticator), prefix="/")
    return app
