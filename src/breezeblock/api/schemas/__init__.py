"""What clients may send and what they get, as JSON Schema.

The schemas stay inside what draft 4 and the dialect of OpenAPI 3.1 (2020-12) both say, so the same
objects validate requests and describe them.
"""

from __future__ import annotations
