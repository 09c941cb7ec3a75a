"""What happened in one history, as lines that can be read, and how often each thing did."""

from collections import Counter

LINES = 120


class Broken(AssertionError):
    """A promise was broken."""


class History:
    """The events of one seed."""

    def __init__(self, seed, clock):
        self.seed = seed
        self.clock = clock
        self.lines = []
        self.counts = Counter()
        self.violation = None

    def note(self, who, kind, what=""):
        """Write down that something happened."""
        self.counts[kind] += 1
        self.lines.append((self.clock(), who, kind, what))

    def broken(self, promise, what):
        """Return the error that says which promise was broken, and how it came to that."""
        self.note("*", "BROKEN", what)
        # Kept, as the code under test may catch what is raised.
        self.violation = self.violation or Broken(f"seed {self.seed}: {promise}: {what}\n{self}")
        return self.violation

    def __str__(self):
        cut = f"  … {len(self.lines) - LINES} lines before\n" if len(self.lines) > LINES else ""
        return cut + "\n".join(f"  {at:8.3f} {who:<8} {kind} {what}" for at, who, kind, what in self.lines[-LINES:])
