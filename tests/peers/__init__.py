"""Real peers for the tests: programs we did not write, started on free loopback ports."""
