"""The fence's double under watch: every write that counts is held against the promises at once."""

from contextlib import contextmanager

from scheduling.ports.ledger import DEFAULT
from scheduling.ports.memory_fence import MemoryFence
from scheduling.tests.simulation.ledger import describe

EFFECT = "what is written through the fence is written by the attempt that holds the item"
TWICE = "what context.once writes is written once"


class WatchedFence(MemoryFence):
    """The fence of all machines."""

    def __init__(self, world):
        super().__init__(world.ledger)
        self.world = world

    @contextmanager
    def atomic(self, attempt, *, using=DEFAULT):
        with super().atomic(attempt, using=using):
            yield
        self._check_effect(attempt)

    def once(self, attempt, name, function, *, using=DEFAULT):
        calls = []

        def write():
            function()
            calls.append(name)

        super().once(attempt, name, write, using=using)
        if calls:
            self._check_effect(attempt)
            self._check_once(attempt)

    def _check_effect(self, attempt):
        self.world.history.note("fence", "effect", f"{describe(attempt)} token {attempt.token}")
        key = (attempt.job, attempt.item)
        ledger = self.world.ledger
        if ledger.valid.get(key) != (attempt.execution, attempt.token):
            last = f"{ledger.valid.get(key)} holds the item, the last token is {ledger.tokens[key]}"
            raise self.world.history.broken(EFFECT, f"{describe(attempt)} wrote under {attempt.token}, but {last}")

    def _check_once(self, attempt):
        self.world.effects_of[attempt.execution] += 1
        if self.world.effects_of[attempt.execution] > 1:
            raise self.world.history.broken(TWICE, f"{describe(attempt)} token {attempt.token}")
