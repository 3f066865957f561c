"""Schema migrations, run by Alembic.

Names say the phase: ``expand`` may run while the version before is still serving, ``contract``
only when it is gone.
"""
