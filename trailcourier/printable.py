"""Text from outside, made harmless for a terminal."""


def printable(text: object) -> str:
    """*text* on one line, with escapes for what a terminal would act on or not show."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(text))
