"""The HTTP interface: parse, authenticate, authorise, validate, call a service, show its answer.

One module a resource.  `routes.py` is the whole interface as data; `dispatch.py` is the way of
every request through it.
"""

from __future__ import annotations
