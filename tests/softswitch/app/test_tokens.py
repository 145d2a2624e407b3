"""Tokens."""

from softswitch.app.tokens import Tokens


def test_no_token_comes_twice_and_all_are_long_enough() -> None:
    new = Tokens()
    tokens = [new() for _ in range(1000)]
    assert len(set(tokens)) == 1000
    assert all(len(token) == 16 and int(token, 16) >= 0 for token in tokens)
