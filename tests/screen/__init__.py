"""Tests of the operations screen in a real browser, against a server that can misbehave."""
