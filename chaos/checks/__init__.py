"""The checks: each a pure function from a history to the violations it shows."""
