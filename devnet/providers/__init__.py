"""Test providers that behave like the real broker."""
