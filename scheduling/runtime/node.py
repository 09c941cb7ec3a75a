"""The loop of one instance: take a snapshot, decide, act. Any tick may be repeated, skipped or late without harm."""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from scheduling.domain.cluster import retried_anywhere, taker
from scheduling.domain.errors import InstanceDead, LedgerUnavailable, RegistryUnavailable
from scheduling.domain.fire import Attempt, ExecutionState, LiveExecution, claimable
from scheduling.ports.ledger import Fence, Ledger, TakenBack
from scheduling.runtime.agenda import SECOND_OPENERS_WAIT, Agenda
from scheduling.runtime.context import Context, describe
from scheduling.runtime.executor import Workers
from scheduling.runtime.guard import LedgerGuard
from scheduling.runtime.handlers import Handler
from scheduling.runtime.membership import WATCH_SECONDS, Membership
from scheduling.runtime.opener import Opener
from scheduling.runtime.pruner import Pruner
from scheduling.runtime.results import Results
from scheduling.runtime.timer import Timer

logger = logging.getLogger("scheduling.node")

LOOK_SECONDS = 1.0
AUDIT_SECONDS = 10.0
AGAIN_SECONDS = 0.02
NEAR_SECONDS = 0.02
"""About twice what a reading of the registry takes, with all that follows from it."""

RETRY_SECONDS = 1.0
CLAIM_MOST = 200


class Node:
    """One instance, between ledger, registry and workers."""

    def __init__(
        self,
        *,
        membership: Membership,
        ledger: Ledger,
        fence: Fence,
        workers: Workers,
        handlers: Mapping[str, Handler],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._membership = membership
        self._ledger = ledger
        self._fence = fence
        self._workers = workers
        self._handlers = handlers
        self._new_id = new_id
        self._guard = LedgerGuard(clock, wall_clock)
        self._agenda = Agenda(clock)
        self._opener = Opener(ledger, self._agenda)
        self._results = Results(ledger, workers, clock, latest=self._agenda.latest)
        self._pruner = Pruner(ledger, clock)
        self._look_timer = Timer(LOOK_SECONDS, clock)
        self._audit_timer = Timer(AUDIT_SECONDS, clock)
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._backlog: list[LiveExecution] = []
        self._more_behind = False
        self._unconfirmed: list[str] = []
        self._answered = True

    def tick(self) -> float:
        """Do what is due, and return the seconds until something may be due again. Never raises."""
        try:
            self._step()
            self._note_answer(None)
            return self._seconds_left()
        except InstanceDead:
            self._workers.cancel()
            self._unconfirmed.clear()
            self._backlog.clear()
            self._guard.begin_again()
            return self._guarded(lambda: self._membership.begin_again(self._new_id()))
        except LedgerUnavailable as error:
            self._note_answer(error)
            self._membership.wake()  # the ledger that answers next may be an older one: read it first
        except Exception:
            logger.exception("this tick failed; the next one follows in %s s", RETRY_SECONDS)
        return RETRY_SECONDS

    def drain(self) -> None:
        """Claim nothing more, and hand the items over."""
        self._guarded(self._membership.drain)

    def is_drained(self) -> bool:
        """Has everything ended and been written, and are the items with others?"""
        return not self._results.unfinished() and self._membership.has_handed_over()

    def leave(self) -> None:
        """Take this instance out of the cluster; nothing of it may be running any more."""
        self._guarded(self._membership.leave)

    def running(self) -> int:
        """Return how many executions have not ended, or are not written."""
        return len(self._results.unfinished())

    def _note_answer(self, error: LedgerUnavailable | None) -> None:
        if error and self._answered:
            logger.warning("nothing starts until the ledger answers again: %s", error)
        if not error and not self._answered:
            logger.info("the ledger answers again")
        self._answered = error is None

    def _guarded(self, act: Callable[[], None]) -> float:
        try:
            act()
            return 0.0
        except (LedgerUnavailable, RegistryUnavailable) as error:
            logger.warning("the cluster could not be told: %s", error)
        except Exception:
            logger.exception("the cluster could not be told")
        return RETRY_SECONDS

    def _step(self) -> None:
        try:
            if self._results.are_waiting() or self._results.collect() or not self._backlog:
                self._write()
        finally:
            self._watch()  # also while somebody keeps the row of one item locked
        self._confirm()
        if self._membership.may_start():
            self._open()
            self._claim()
        self._write()
        self._tidy()

    def _watch(self) -> None:
        if self._would_make_late():
            return
        before = self._membership.mine
        watched = self._membership.watch()
        if self._membership.mine != before:
            # What waits for its item's new owner waits no longer.
            self._look_timer.ring()
        if watched:
            self._read_cursors()
            self._report(self._ledger.take_over(not_after=self._agenda.latest()), "taken over from")

    def _would_make_late(self) -> bool:
        """Is a fire that this instance opens so near that a reading of the registry has to wait for it?"""
        if not (self._membership.may_wait() and self._membership.may_start()):
            return False
        return self._agenda.is_near(self._membership.opens_first, NEAR_SECONDS)

    def _write(self) -> None:
        if self._results.write() and self._more_behind and not self._backlog:
            self._look_timer.ring()

    # Opening

    def _open(self) -> None:
        due = self._agenda.due(self._openable())
        names = [name for name in due if name in self._membership.opens_first]
        late = [n for n, time in due.items() if n not in names and self._agenda.now() >= time + SECOND_OPENERS_WAIT]
        if late:
            self._read_cursors()
            names += self._agenda.due(late)
        # By what has just been read, this instance may hold.
        openings = self._opener.openings(names) if self._membership.may_start() else []
        if not openings:
            return
        if len(self._opener.open(openings, by=self._membership.instance.id)) < len(openings):
            self._read_cursors()
        self._look_timer.ring()

    def _openable(self) -> Iterable[str]:
        """Return the jobs to open: where time zone rules differ, whoever knows the newest opens those of all."""
        if not self._membership.knows_newest_zones():
            return ()
        return self._membership.cluster.assignments if self._membership.zones_differ() else self._mine()

    def _mine(self) -> dict[str, frozenset[int]]:
        return {name: items for name, items in self._membership.mine.items() if self._handler_of(name)}

    def _read_cursors(self) -> None:
        cursors = self._guard.read(self._ledger.cursors)
        self._membership.hold(self._guard.holding(), self._guard.clock_offset)
        moved = self._agenda.read(self._membership.cluster.jobs, cursors, is_right=self._guard.is_clock_right)
        if not moved.isdisjoint(self._membership.mine):
            # Another instance has opened a fire of theirs, and what was due here is so no more.
            self._look_timer.ring()

    # Claiming

    def _claim(self) -> None:
        if self._look_timer.is_due() or self._agenda.peeks_due(self._mine(), self._looked_at):
            self._look()
        while self._can_claim():
            chunk = self._backlog[: min(self._workers.free(), CLAIM_MOST)]
            del self._backlog[: len(chunk)]
            if not self._claim_together(chunk):
                # Somebody else was faster with one of them: see what is left, and let none spoil another.
                self._look()
                self._claim_each()
            # What waits to be started goes before what waits to be written, within bounds.
            if self._results.collect():
                self._write()
            if not self._membership.seconds_left():
                break

    def _can_claim(self) -> bool:
        return bool(self._backlog and self._workers.free() and self._membership.may_start())

    def _claim_each(self) -> None:
        for execution in self._backlog[: self._workers.free()]:
            self._claim_together([execution])
        self._backlog = []
        self._look_timer.ring()

    def _claim_together(self, executions: Sequence[LiveExecution]) -> bool:
        claim = uuid.uuid4().hex
        self._unconfirmed.append(claim)
        attempts = self._ledger.claim(executions, by=self._membership.instance.id, claim=claim)
        self._unconfirmed.remove(claim)
        self._start(attempts)
        return bool(attempts)

    def _confirm(self) -> None:
        for claim in tuple(self._unconfirmed):
            attempts = self._ledger.claimed(claim)
            self._unconfirmed.remove(claim)
            self._start(attempts)

    def _start(self, attempts: Sequence[Attempt]) -> None:
        self._guard.note(attempts)
        self._membership.hold(self._guard.holding(), self._guard.clock_offset)
        for attempt in attempts:
            job = self._membership.cluster.jobs.get(attempt.job)
            handler = self._handler_of(attempt.job)
            if job is None or handler is None or not self._membership.may_start():
                # No proof of life any more, or holding, or the job has changed while the claim's answer was lost.
                logger.warning("%s is not started, but put back", describe(attempt))
                self._audit_timer.ring()
                continue
            context = Context(attempt, self._fence, instance=self._membership.instance.id)
            self._workers.start(context, attempt, handler, job)
            self._results.begin(attempt, context, job)

    def _handler_of(self, job: str) -> Handler | None:
        published = self._membership.cluster.jobs.get(job)
        return self._handlers.get(published.handler) if published else None

    def _look(self) -> None:
        self._look_timer.restart()
        names = self._mine().keys() | retried_anywhere(self._membership.cluster, self._handlers.keys())
        look = self._ledger.look(sorted(names))
        busy = {(attempt.job, attempt.item) for attempt in self._workers.running().values()}
        self._looked_at = look.now
        self._backlog = claimable(look, self._takes, busy)
        waiting = [e for e in look.executions if e.state != ExecutionState.RUNNING and self._takes(e)]
        self._more_behind = len(waiting) > len(self._backlog)
        for execution in look.executions:
            if execution.run == 0:
                self._agenda.pass_to(execution.job, execution.fire_time)

    def _takes(self, execution: LiveExecution) -> bool:
        return taker(execution, self._membership.cluster) == self._membership.instance.id

    # Between fires

    def _tidy(self) -> None:
        self._results.tidy()
        if not self._backlog:
            self._agenda.look_ahead()
        if self._audit_timer.is_due():
            self._audit_timer.restart()
            if not self._unconfirmed:
                held = self._ledger.audit(self._membership.instance.id, self._results.executions())
                self._report(held, "put back by")
        if self._membership.leads() and self._membership.may_start():
            self._pruner.prune(is_quiet=self._is_quiet, not_after=self._agenda.latest())

    def _is_quiet(self, seconds: float) -> bool:
        return not self._backlog and not self._agenda.is_near(self._mine(), seconds)

    def _report(self, taken: Sequence[TakenBack], how: str) -> None:
        for each in taken:
            fate = "lost" if each.lost else "pending again"
            logger.warning("%s item %s %s %s: %s", each.job, each.item, how, each.instance, fate)
        if taken:
            self._look_timer.ring()

    def _seconds_left(self) -> float:
        if self._can_claim():
            return 0.0
        left = [WATCH_SECONDS if self._would_make_late() else self._membership.seconds_left()]
        left.append(max(0.0, self._results.seconds_left()))
        if self._membership.may_start():
            left.append(self._look_timer.left())
            first = self._membership.opens_first
            left.append(self._agenda.seconds_to_first(self._openable(), first, self._looked_at))
        return max(AGAIN_SECONDS if min(left) < 0 else 0.0, min(left))
