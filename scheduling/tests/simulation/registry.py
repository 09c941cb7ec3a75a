"""The registry's double under watch: who has had a session that ended, and whose writes changed anything."""

from scheduling.ports.memory_registry import MemoryEnsemble, MemoryRegistry

EPOCH = "an old leader changes nothing"


class WatchedEnsemble(MemoryEnsemble):
    """`ended` are ids whose session has ended at least once, `saw_themselves` those whose last reading shows them."""

    def __init__(self, world):
        super().__init__(lambda: world.seconds)
        self.ended = set()
        self.saw_themselves = set()

    def may_bury(self, instance, by):
        """May `by` believe that `instance` is gone?"""
        return instance in self.ended and by in self.saw_themselves

    def expire(self):
        before = set(self.sessions)
        super().expire()
        self.ended |= before - set(self.sessions)


class WatchedRegistry(MemoryRegistry):
    """One machine's connection; its answers are checked against the ensemble's own state."""

    def __init__(self, world):
        super().__init__(world.ensemble)
        self.world = world

    def end_session(self, key):
        self.world.ensemble.ended.add(key)
        super().end_session(key)

    def cluster(self):
        cluster = super().cluster()
        saw = self._store.saw_themselves
        saw.add(self._id) if self._id in cluster.instances else saw.discard(self._id)
        return cluster

    def campaign(self):
        before = self._store.epoch
        super().campaign()
        if self._store.epoch > before:
            self.world.history.note(self._id, "elected", f"epoch {self._store.epoch}")

    def publish(self, jobs, *, epoch):
        return self._checked("published", super().publish(jobs, epoch=epoch), epoch, "")

    def assign(self, assignments, *, epoch):
        what = "; ".join(f"{job} {dict(owners)}" for job, owners in assignments.items())
        return self._checked("assigned", super().assign(assignments, epoch=epoch), epoch, what)

    def _checked(self, kind, done, epoch, what):
        if done:
            self.world.history.note(self._id, kind, what)
            if (self._store.leader, self._store.epoch) != (self._id, epoch):
                leads = f"{self._store.leader} leads in epoch {self._store.epoch}"
                raise self.world.history.broken(EPOCH, f"{self._id} has {kind} in epoch {epoch}, but {leads}")
        return done
