"""Why an operation is given up, in a form that survives the worker that saw the error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation is given up, in a form that survives the worker that saw the error.

    ``kind`` is the error's symbol (``BreezeblockError.symbol``), or the class name of any other
    exception.
    """

    kind: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        symbol = getattr(error, "symbol", None)
        if symbol is not None:
            return cls(symbol, str(error))
        # Not ours: its words may hold SQL, paths or secrets.  The log has it whole.
        name = type(error).__name__
        return cls(name, f"An unexpected error occurred ({name}).")
