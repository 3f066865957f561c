"""The steps of every operation on a resource: what ``services`` starts and ``operations`` runs.

One module a resource.  Only workers import the modules with steps; ``kinds`` is for everybody.
"""
