from __future__ import annotations

import pytest

from zgcompute.cli.output import amount, one_line, safe, without_keys


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\r\nb\rc", "a\nb\ufffdc"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x9b31m \x07 \x7f \0", "\ufffd31m \ufffd \ufffd \ufffd"),
        ("\u202egnp.exe\u2069", "\ufffdgnp.exe\ufffd"),
        ("שלום 👩‍🔬 é", "שלום 👩‍🔬 é"),
    ],
)
def test_text_is_made_safe_for_a_terminal(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_line_stays_one_line_of_its_length() -> None:
    assert one_line("a\n  b\tc\x1b") == "a b c\ufffd"
    assert one_line("x" * 300, 10) == "x" * 9 + "…"


def test_keys_are_left_out_of_messages() -> None:
    assert without_keys("bad app-sk-AbC+/9==, again") == "bad app-sk-…, again"
    assert without_keys("keys begin with app-sk- always") == "keys begin with app-sk- always"


def test_amounts_are_exact_text() -> None:
    assert amount(1) == {"neuron": "1", "og": "0.000000000000000001"}
    assert amount(3 * 10**36) == {"neuron": "3" + "0" * 36, "og": "3000000000000000000"}
