"""Which of the two languages a caller reads, from its Accept-Language header."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Words(NamedTuple):
    """One sentence in both languages; may hold ``{placeholders}``."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        """The sentence in `language`."""
        return self.zh if language == "zh" else self.en


def preferred(accept_language: str | None) -> Language:
    """``"zh"`` when the header (RFC 9110, 12.5.4) ranks Chinese above English, else ``"en"``.

    A header that cannot be read counts as absent.
    """
    best: dict[str, float] = {}
    for item in (accept_language or "")[:500].split(","):
        tag, _, parameter = item.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = 1.0
        name, _, number = parameter.strip().partition("=")
        if name.strip() == "q":
            try:
                weight = float(number)
            except ValueError:
                weight = 0.0
        if primary in {"zh", "en"} and 0 < weight <= 1:
            best[primary] = max(best.get(primary, 0.0), weight)
    return "zh" if best.get("zh", 0.0) > best.get("en", 0.0) else "en"
