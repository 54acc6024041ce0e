"""Text for people: counts."""


def many(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 saga`, `2,000 sagas`.

    `plural` is for nouns that do not take an s.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
