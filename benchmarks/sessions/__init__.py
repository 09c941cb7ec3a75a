"""`make bench-sessions`: what becomes of logins when servers fail, and what sessions cost; ours beside Django's."""
