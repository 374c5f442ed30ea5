"""Composition root: command line, settings and the wiring of one node.

Only this package imports all others.
"""

__version__ = "0.1.0"
