"""Durable operations: the engine that carries every asynchronous request to its end.

It knows nothing of volumes: it journals steps, claims work, renews leases, retries, undoes and
recovers.  What the steps are is defined in ``breezeblock.flows``.
"""
