"""Escaping of text for terminals and files."""

from __future__ import annotations

import pytest

from sklearnloss._utils.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name_1 (2).png", "plain name_1 (2).png"),
        ("d\u00e9j\u00e0 \u5199\u771f \U0001f642", "d\u00e9j\u00e0 \u5199\u771f \U0001f642"),
        ("caf\udce9", r"caf\xe9"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nb\r\tc\x9b", r"a\nb\r\tc\x9b"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
    ],
)
def test_what_moves_a_cursor_or_cannot_be_encoded_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).encode().decode() == shown
