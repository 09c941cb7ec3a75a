"""`runscheduler --check`: does this machine have an instance that works?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from scheduling.database.snapshot import Seen, read_snapshot
from scheduling.domain.instance import Holding, InstanceState
from scheduling.domain.instance import Instance as RunningInstance
from scheduling.management.migrated import no_answer
from scheduling.models import Instance

WELL_FIRST = (InstanceState.LIVE, InstanceState.DRAINING, InstanceState.HOLDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe found, in one line."""

    is_well: bool
    line: str


def probe(host: str) -> Finding:
    """Look, by the database alone, whether the leader sees an instance of this host; never raises."""
    try:
        return _look(host)
    except Exception as error:
        # A probe has to say something whatever happens.
        return _unwell(no_answer(error))


def _look(host: str) -> Finding:
    seen = read_snapshot()
    here = Instance.objects.filter(host=host).order_by("-started_at")
    living = list(here.filter(died_at=None))
    if not living:
        last = here.first()
        return _unwell(_ended(last) if last else _("no instance of %(host)s has ever been there") % {"host": host})
    if seen is None or not seen.is_fresh:
        return _unwell(_degraded(seen))
    return _registered(seen, living)


def _registered(seen: Seen, living: Iterable[Instance]) -> Finding:
    shown = [seen.cluster.instances[row.id] for row in living if row.id in seen.cluster.instances]
    if not shown:
        ids = ", ".join(row.id for row in living)
        return _unwell(_("instance %(instance)s is holding: the registry does not show it") % {"instance": ids})
    best = min(shown, key=lambda instance: WELL_FIRST.index(instance.state))
    return Finding(is_well=best.state is not InstanceState.HOLDING, line=_said_of(best))


def _said_of(instance: RunningInstance) -> str:
    match instance.state, instance.holding:
        case InstanceState.LIVE, _reason:
            said = _("instance %(instance)s is live")
        case InstanceState.DRAINING, _reason:
            said = _("instance %(instance)s is draining")
        case _state, Holding.CLOCK_IS_OFF:
            said = _("instance %(instance)s is holding: its clock is off by %(seconds)s s")
        case _state, Holding.CLOCK_LEAPT:
            said = _("instance %(instance)s is holding: the clock has leapt forward")
        case _state, Holding.LEDGER_WENT_BACK:
            said = _("instance %(instance)s is holding: the ledger is older than what it has shown before")
        case _:
            said = _("instance %(instance)s is holding for a reason that is not known here")
    return said % {"instance": instance.id, "seconds": f"{instance.clock_offset:.1f}"}


def _ended(row: Instance) -> str:
    said = (
        _("instance %(instance)s has left at %(time)s")
        if row.died_by == row.id
        else _("instance %(instance)s is dead since %(time)s, declared by %(by)s")
    )
    return said % {"instance": row.id, "time": _time(row.died_at), "by": row.died_by}


def _degraded(seen: Seen | None) -> str:
    if seen is None:
        return _("the registry is degraded: no leader has written what it sees")
    return _("the registry is degraded since %(time)s: that is when leader %(leader)s last looked") % {
        "time": _time(seen.looked_at),
        "leader": seen.cluster.leader,
    }


def _time(time: datetime | None) -> str:
    return timezone.localtime(time).isoformat(timespec="seconds")


def _unwell(line: str) -> Finding:
    return Finding(is_well=False, line=line)
