"""How fast others go on when an instance is killed, and what is written once when one is frozen."""
