"""Text from files and file names, made safe for one line of a terminal."""


def one_line(text: str) -> str:
    """Return `text` with control characters and lone surrogates written as escapes.

    A name in a hostile file must not move the cursor, forge a line or break the encoding.
    """
    return "".join(character if _plain(character) else _escaped(character) for character in text)


def _plain(character: str) -> bool:
    return character.isprintable()


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
