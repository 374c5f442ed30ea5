"""Bounds on what callers take, in one place so that tests can tighten them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one node grants its callers.

    tick_s: seconds between value frames; slow_s: how long one frame may take to send; sockets: live
    sockets at once; queries: history queries running at once; waiting: how many may queue for that;
    trust_s: a session or key found valid is not looked up again for so long.
    """

    tick_s: float = 1.0
    slow_s: float = 10.0
    sockets: int = 256
    queries: int = 4
    waiting: int = 64
    trust_s: float = 2.0
