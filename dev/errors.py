"""What can go wrong on a user's machine, said so that the user can act."""

from __future__ import annotations


class DevError(Exception):
    """A local server could not be prepared or started; the message says why and what to do."""
