"""Attempts and their tokens: without gaps, strictly increasing, never two that are valid at a time, none unprovoked."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import TypeVar

from chaos.concerns import Concerns
from chaos.shadows import ends, failure_times, key, kill_times, lost_node, starts
from chaos.values import Entry, Fault, History, Violation

Place = TypeVar("Place")


def run_once(history: History) -> list[Violation]:
    """No attempt starts twice, and no token of an item is given to two attempts."""
    attempts = Counter((entry.execution, entry.attempt) for entry in starts(history))
    tokens = Counter((entry.job, entry.item, entry.token) for entry in starts(history))
    return [
        Violation(kind="attempt twice", text=f"execution {execution} attempt {attempt}: {count} starts")
        for (execution, attempt), count in attempts.items()
        if count > 1
    ] + [
        Violation(kind="token twice", text=f"{job} item {item} token {token}: {count} starts")
        for (job, item, token), count in tokens.items()
        if count > 1
    ]


def no_gaps(history: History) -> list[Violation]:
    """Attempts count 1, 2, 3 …; one that never started its handler needs a fault between its claim and that."""
    fires = {fire.id: fire.fire_time for fire in history.fires}
    by_execution, concerns = _by(starts(history), lambda entry: entry.execution), Concerns(history)
    found = []
    for execution in history.executions:
        at = {entry.attempt: entry.at for entry in by_execution.get(execution.id, [])}
        for attempt in range(1, execution.attempt + 1):
            begin = at.get(attempt - 1, float(fires.get(execution.fire, 0)))
            end = at.get(attempt + 1, execution.finished_at or history.end)
            if attempt not in at and not concerns.touching(execution.slice, begin, end):
                text = f"{execution}: attempt {attempt} never started, and no fault explains it"
                found.append(Violation(kind="gap in attempts", text=text))
        if at and max(at) > execution.attempt:
            found.append(Violation(kind="unknown attempt", text=f"{execution}: the journal has attempt {max(at)}"))
    return found


def tokens_rise(history: History) -> list[Violation]:
    """A later attempt of an execution has a larger token, and so has whatever starts later on the same item.

    One that was frozen before its first line may write it when it thaws.
    """
    found = []
    for entries in _by(starts(history), lambda entry: entry.execution).values():
        for first, second in pairwise(sorted(entries, key=lambda entry: entry.attempt)):
            if second.attempt > first.attempt and second.token <= first.token:
                found.append(Violation(kind="token fell", text=f"{first}; then {second}"))
    for entries in _by(starts(history), lambda entry: entry.slice).values():
        for first, second in pairwise(sorted(entries, key=lambda entry: entry.at)):
            if second.token < first.token and not lost_node(history, second.node, first.at, second.at):
                found.append(Violation(kind="token fell", text=f"{first}; then {second}"))
    return found


def no_overlap(history: History) -> list[Violation]:
    """An attempt begins only when the one before it, by tokens, has ended, or its instance was declared dead."""
    died = {instance.id: instance.died_at for instance in history.instances}
    ended, killed = ends(history), kill_times(history)
    found = []
    for entries in _by(starts(history), lambda entry: entry.slice).values():
        for first, second in pairwise(sorted(entries, key=lambda entry: entry.token)):
            end, death = ended.get(key(first)), died.get(first.instance)
            over = [at for at in (end.at if end else killed(first), death) if at is not None]
            if not over or min(over) > second.at:
                found.append(Violation(kind="overlap", text=f"{first}, ended or dead at {over}; yet {second}"))
    return found


def reruns_explained(history: History) -> list[Violation]:
    """What ran runs again only where it had failed, or where a fault hit its node."""
    ended, failed_at = ends(history), failure_times(history)
    found = []
    for first, second in reruns(history):
        end = ended.get(key(first))
        if failed_at(first) is None and not lost_node(history, first.node, first.at, second.at):
            text = f"{first}, {'ended ' + end.outcome if end else 'no end'}; again {second}"
            found.append(Violation(kind="unprovoked re-run", text=text))
    return found


def deaths_explained(history: History) -> list[Violation]:
    """An instance is declared dead by others only where a fault hit its node."""
    seen = {entry.instance: entry for entry in sorted(history.entries, key=lambda entry: entry.at)}
    return [
        Violation(kind="unprovoked death", text=f"{instance.id} on {seen[instance.id].node}: {instance}")
        for instance in history.instances
        if instance.id in seen
        and instance.died_at is not None
        and instance.died_by != instance.id
        and not lost_node(history, seen[instance.id].node, instance.died_at - history.session, instance.died_at)
    ]


def reruns(history: History) -> list[tuple[Entry, Entry]]:
    """Return the attempts that were run again, each with the attempt that followed."""
    by_execution = _by(starts(history), lambda entry: entry.execution)
    return [
        pair for entries in by_execution.values() for pair in pairwise(sorted(entries, key=lambda entry: entry.attempt))
    ]


def failovers(history: History) -> list[tuple[Fault, Entry, Entry]]:
    """Return what another instance ran again because the first one had died, with the fault that it died of."""
    died = {instance.id: instance.died_at for instance in history.instances}
    failed_at, found = failure_times(history), []
    for first, second in reruns(history):
        death, failure = died.get(first.instance), failed_at(first)
        if death is None or death > second.at or first.instance == second.instance:
            continue
        fault = lost_node(history, first.node, first.at, death)
        if fault and (failure is None or failure > fault.begin):
            found.append((fault, first, second))
    return found


def _by(entries: Iterable[Entry], place: Callable[[Entry], Place]) -> Mapping[Place, list[Entry]]:
    found: dict[Place, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[place(entry)].append(entry)
    return found
