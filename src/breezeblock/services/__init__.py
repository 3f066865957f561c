"""What each request does: rule, state change, quota and operation, in one transaction.

One module a resource.  Every function takes the caller's context first; queries are
scoped to the caller's project unless it is an administrator.
"""
