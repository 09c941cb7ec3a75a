"""The registry's double under watch: who has had a session that ended, and whose writes changed anything."""

from dataclasses import replace

from scheduling.ports.memory_registry import MemoryEnsemble, MemoryRegistry

EPOCH = "an old leader changes nothing"
GRACE = 5.0
"""The session timeout."""


class WatchedEnsemble(MemoryEnsemble):
    """`ended` are ids whose session has ended at least once, `saw_themselves` those whose last reading shows them.

    `shown` is id → the instance as it is shown, and since when; `wiped` is id → until when a wipe explains its absence.
    """

    def __init__(self, world):
        super().__init__(lambda: world.seconds)
        self.ended = set()
        self.saw_themselves = set()
        self.shown = {}
        self.wiped = {}
        self.has_quorum = True

    def may_bury(self, instance, by):
        """May `by` believe that `instance` is gone?"""
        is_wiped = self.clock() < self.wiped.get(instance, 0)
        return instance in self.ended and by in self.saw_themselves and not is_wiped

    def able_since(self, handler, before):
        """Return who has been shown since then, or longer, as knowing the handler, and taking items."""
        self.expire()
        return {id for id, (instance, since) in self.shown.items() if since <= before and handler in instance.handlers}

    def show(self, instance):
        """Note how an instance is shown."""
        self.wiped.pop(instance.id, None)
        known, _ = self.shown.get(instance.id, (None, 0))
        if not instance.takes_items:
            self.shown.pop(instance.id, None)
        elif instance != known:
            self.shown[instance.id] = (instance, self.clock())

    def wipe(self):
        """Lose everything: sessions, jobs, assignments, leader and epochs."""
        self.ended |= set(self.sessions)
        self.wiped |= dict.fromkeys(self.sessions, self.clock() + GRACE)
        self.sessions, self.jobs, self.assignments, self.shown = {}, {}, {}, {}
        self.leader, self.epoch = None, 0

    def end(self, id):
        """End a session, as its supervisor asks for."""
        if self.has_quorum:
            self.sessions.pop(id, None)
            self.forget({id})
            self.expire()

    def lose_quorum(self):
        """Answer nobody, and end no session."""
        self.has_quorum = False

    def regain_quorum(self):
        """Give every session its whole time again, as a new leader of an ensemble does."""
        self.has_quorum = True
        for id, session in self.sessions.items():
            self.sessions[id] = replace(session, ends_at=self.clock() + GRACE)

    def expire(self):
        if self.has_quorum:
            before = set(self.sessions)
            super().expire()
            self.forget(before - set(self.sessions))

    def forget(self, ids):
        """Note that these sessions have ended."""
        self.ended |= ids
        for id in ids:
            self.shown.pop(id, None)


class WatchedRegistry(MemoryRegistry):
    """One machine's connection; its answers are checked against the ensemble's own state."""

    def __init__(self, world):
        super().__init__(world.ensemble)
        self.world = world

    def register(self, instance):
        super().register(instance)
        self._store.show(instance)

    def leave(self):
        self._store.forget({self._id})
        super().leave()

    def end_session(self, key):
        self._store.forget({key})
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
