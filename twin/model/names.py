"""Names in the two languages of the platform."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A name in Chinese and in English; neither is empty."""

    zh: str
    en: str
