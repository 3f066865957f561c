"""Choosing a pool for a volume: a library, not a service.

The choice is made in the transaction of the request that needs it.
"""
