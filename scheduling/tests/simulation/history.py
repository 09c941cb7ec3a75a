"""What happened in one history, as lines that can be read, and how often each thing did."""

import re
from collections import Counter

LINES = 200
JOBS = re.compile(r"job-\d+")


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
        self.violation = self.violation or Broken(f"seed {self.seed}: {promise}: {what}\n{self.about(what)}")
        return self.violation

    def about(self, what):
        """Return the last lines, without those that are only about other jobs than `what` is."""
        jobs = set(JOBS.findall(what))
        lines = [line for line in self.lines if _is_about(line, jobs)]
        cut = f"  … {len(lines) - LINES} lines before\n" if len(lines) > LINES else ""
        return cut + _written(lines[-LINES:])

    def __str__(self):
        return _written(self.lines)


def _is_about(line, jobs):
    named = set(JOBS.findall(line[3]))
    return not named or not jobs or bool(named & jobs)


def _written(lines):
    return "\n".join(f"  {at:8.3f} {who:<8} {kind} {what}" for at, who, kind, what in lines)
