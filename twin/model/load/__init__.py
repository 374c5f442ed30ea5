"""Reads a park folder into a `Park`, or says with file, line and mend why it cannot.

The only part of the twin that opens files.
"""

from twin.model.load.folder import check, load_park

__all__ = ["check", "load_park"]
