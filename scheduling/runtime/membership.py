"""This instance among the others: it registers, watches, leads when it is elected, and declares deaths."""

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import replace

from scheduling.domain.cluster import Assignments, Cluster, items_of, opens_first
from scheduling.domain.errors import InstanceDead, RegistryUnavailable
from scheduling.domain.errors import gettext_noop as _
from scheduling.domain.instance import Holding, Instance
from scheduling.domain.ranges import to_ranges
from scheduling.ports.ledger import Ledger
from scheduling.ports.registry import Registry
from scheduling.runtime.leader import Leader
from scheduling.runtime.leap import BELIEVED_AFTER_SECONDS
from scheduling.runtime.session import Session
from scheduling.runtime.timer import Timer

logger = logging.getLogger("scheduling.node")

WATCH_SECONDS = 0.5
WAIT_AT_MOST = 0.25
CONFIRM_SECONDS = 0.25
OFFSET_SHOWN = 0.5
"""Seconds by which a clock's offset has to change to be shown anew: each showing is a write into the registry."""


class Membership:
    """What this instance last saw of the cluster, and its part in it."""

    def __init__(
        self,
        instance: Instance,
        *,
        ledger: Ledger,
        registry: Registry,
        session: Session,
        clock: Callable[[], float],
    ) -> None:
        self.instance = instance
        self.cluster = Cluster()
        self.mine: Mapping[str, frozenset[int]] = {}
        self.opens_first: frozenset[str] = frozenset()
        self._zones: frozenset[str] = frozenset()
        self._ledger = ledger
        self._registry = registry
        self._session = session
        self._clock = clock
        self._timer = Timer(WATCH_SECONDS, clock)
        self._leader = Leader(ledger=ledger, registry=registry, clock=clock)
        self._entered = False
        self._missing_since: Mapping[str, float] = {}
        self._in_sight = self._was_proved = True
        self._answered_at = float("-inf")
        self._seen_since = float("inf")

    def watch(self) -> bool:
        """Read the registry if it is time to, and do this instance's part; return whether it was read."""
        self._note_lease()
        if not self._timer.is_due():
            return False
        self._timer.restart()
        try:
            self._watch()
        except RegistryUnavailable as error:
            self._lose_sight(error)
            return False
        return True

    def may_wait(self) -> bool:
        """May the next reading wait for a moment? Not if something has happened, nor for long."""
        return self._timer.overdue() < WAIT_AT_MOST

    def may_start(self) -> bool:
        """May this instance open and claim: is it registered, surely believed alive, neither draining nor holding?"""
        return self._entered and self._session.is_proved() and self.instance.takes_items

    def leads(self) -> bool:
        """Does this instance lead, as far as it can see?"""
        return self._entered and self._in_sight and self.cluster.leader == self.instance.id

    def knows_newest_zones(self) -> bool:
        """Has nobody else who opens newer time zone rules? One with older, or unknown, rules sees other fire times."""
        return all(zones <= self.instance.tzdata for zones in self._zones)

    def zones_differ(self) -> bool:
        """Do those who open know different time zone rules?"""
        return len(self._zones) > 1

    def drain(self) -> None:
        """Ask the leader to give this instance's items to others; the next reading repeats it until it is shown."""
        self.instance = replace(self.instance, draining=True)
        self._timer.ring()

    def hold(self, holding: Holding | None, clock_offset: float) -> None:
        """Start nothing, for this reason, or start again (None); the next reading tells the others."""
        moved = abs(clock_offset - self.instance.clock_offset) >= OFFSET_SHOWN
        if holding is self.instance.holding and not moved:
            return
        changed = replace(self.instance, holding=holding, clock_offset=clock_offset)
        if changed.holding != self.instance.holding:
            _log_holding(changed)
        self.instance = changed
        self._timer.ring()

    def has_handed_over(self) -> bool:
        """Are this instance's items with others, or is there nobody to take them, or nobody who could see that?"""
        others = [i for i in self.cluster.instances.values() if i.takes_items and i.id != self.instance.id]
        return not self.mine or not others or not self._in_sight

    def leave(self) -> None:
        """End this instance's part in the cluster; nothing of it may be running any more."""
        self._ledger.die(self.instance.id, by=self.instance.id)
        self._session.leave()

    def begin_again(self, id: str) -> None:
        """Go on as a new instance, as the old one has been declared dead."""
        logger.error("instance %s has been declared dead; going on as %s", self.instance.id, id)
        self._session.leave()
        self.instance = replace(self.instance, id=id)
        self.cluster = Cluster()
        self._zones = frozenset()
        self.mine, self.opens_first = {}, frozenset()
        self._entered = False
        self._timer.ring()

    def wake(self) -> None:
        """Read the registry at the next tick."""
        self._timer.ring()

    def seconds_left(self) -> float:
        """Return the seconds until the next reading."""
        return self._timer.left()

    def _watch(self) -> None:
        # Before the registry is read: whoever registers between the two readings is alive.
        joined = self._ledger.joined()
        self._see(self._registry.cluster())
        if not self._entered or self.cluster.instances.get(self.instance.id) != self.instance:
            self._register()
            return
        if self.cluster.leader is None:
            self._registry.campaign()
            self._timer.ring()
        elif self.cluster.leader == self.instance.id and self._leader.lead(self.cluster):
            self._timer.ring()
        self._bury(joined)

    def _register(self) -> None:
        if not self._entered:
            self._ledger.enter(self.instance)
        self._session.register(self.instance)
        self._ledger.join(self.instance.id)
        self._entered = True
        logger.info("instance %s is registered%s", self.instance.id, " as draining" if self.instance.draining else "")
        self._timer.ring()

    def _see(self, cluster: Cluster) -> None:
        if not self._in_sight:
            logger.info("the registry is in sight again")
        self._in_sight = True
        now = self._clock()
        gap = now - self._answered_at > self._session.timeout / 2
        shown = self.instance.id in cluster.instances
        if not shown or gap:
            self._seen_since = float("inf")
        if shown:
            self._seen_since = min(self._seen_since, now)
        self._answered_at = now
        self._log_leader(cluster)
        differed, self.cluster = self.zones_differ(), replace(cluster, assignments=self.cluster.assignments)
        self._zones = _zones_of_openers(cluster)
        if self.zones_differ() and not differed:
            logger.warning("instances know different time zone rules: only those with the newest open fires")
        if cluster.assignments is not self.cluster.assignments:
            self._take_on(cluster.assignments)
        self.cluster = cluster

    def _take_on(self, assignments: Assignments) -> None:
        mine = items_of(self.instance.id, assignments)
        self._log_items(mine)
        self.mine = mine
        self.opens_first = frozenset(job for job in mine if opens_first(self.instance.id, job, assignments))

    def _note_lease(self) -> None:
        proved = self._session.is_proved()
        if self._entered and proved != self._was_proved:
            if proved:
                logger.info("instance %s has proof of life again", self.instance.id)
            else:
                logger.warning(
                    "no proof of life: instance %s starts nothing until the registry answers", self.instance.id
                )
            self._was_proved = proved

    def _lose_sight(self, error: RegistryUnavailable) -> None:
        if self._in_sight:
            logger.warning("the registry is out of sight: %s", error)
        self._in_sight = False
        self._seen_since = float("inf")

    def _bury(self, joined: Set[str]) -> None:
        if self.instance.id not in joined:
            raise InstanceDead(_("instance %(instance)s has been declared dead"), instance=self.instance.id)
        # After a gap, the others may only be as late in registering again as this instance was; after a leap of the
        # clock by which the ledger's own registry counts, they are not even late.
        if self.instance.holding or self._clock() - self._seen_since < self._session.timeout:
            self._missing_since = {}
            return
        # By the clock of the readings: what a leader has done since then neither delays a death nor confirms it.
        seen_at, missing = self._answered_at, joined - self.cluster.instances.keys()
        self._missing_since = {id: self._missing_since.get(id, seen_at) for id in missing}
        for id, since in sorted(self._missing_since.items()):
            if seen_at < since + CONFIRM_SECONDS:
                # Somebody may have deleted its node, and it registers again at once.
                self._timer.hasten(since + CONFIRM_SECONDS - self._clock())
            elif self._ledger.die(id, by=self.instance.id):
                logger.warning("instance %s is gone: declared dead", id)

    def _log_leader(self, cluster: Cluster) -> None:
        if cluster.leader and cluster.leader != self.cluster.leader:
            you = " (this instance)" if cluster.leader == self.instance.id else ""
            logger.info("leader is %s%s, epoch %s", cluster.leader, you, cluster.epoch)

    def _log_items(self, mine: Mapping[str, frozenset[int]]) -> None:
        for job in sorted(mine.keys() | self.mine.keys()):
            before, after = self.mine.get(job, frozenset()), mine.get(job, frozenset())
            for word, items in (("gained", after - before), ("lost", before - after)):
                if items:
                    logger.info("%s items %s: %s on %s", job, word, _in_words(items), self.instance.id)


def _zones_of_openers(cluster: Cluster) -> frozenset[str]:
    return frozenset(each.tzdata for each in cluster.instances.values() if each.takes_items)


def _log_holding(instance: Instance) -> None:
    match instance.holding:
        case Holding.CLOCK_IS_OFF:
            how = "ahead of" if instance.clock_offset > 0 else "behind"
            logger.error(
                "instance %s starts nothing: its clock is %.1f s %s the database's; set both by the same NTP servers",
                instance.id,
                abs(instance.clock_offset),
                how,
            )
        case Holding.CLOCK_LEAPT:
            logger.error(
                "instance %s starts nothing: the clock has leapt forward, and is believed only in %.0f minutes",
                instance.id,
                BELIEVED_AFTER_SECONDS / 60,
            )
        case Holding.LEDGER_WENT_BACK:
            logger.critical(
                "instance %s starts nothing: the ledger is older than what it has shown before, as after a restore. "
                "Run `manage.py jobs restored`, then restart every runscheduler",
                instance.id,
            )
        case _:
            logger.info("instance %s starts what is due again", instance.id)


def _in_words(items: frozenset[int]) -> str:
    ranges = to_ranges(dict.fromkeys(items, "")).get("", [])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
