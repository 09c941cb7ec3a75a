"""A rolling restart: whose turn it is, and when nobody is touched."""

import pytest

from deploy.rolling import Refused, restart


class Replica:
    """A replica in memory that notes what becomes of it; `comes_up` says whether it starts."""

    def __init__(self, name, notes, *, ready=True, comes_up=True):
        self.name = name
        self.notes = notes
        self.ready = ready
        self.comes_up = comes_up

    def is_ready(self):
        return self.ready

    def stop(self):
        self.notes.append(f"stop {self.name}")
        self.ready = False

    def start(self):
        self.notes.append(f"start {self.name}")
        if not self.comes_up:
            raise RuntimeError(f"{self.name} is not up")
        self.ready = True


class Balancer:
    def __init__(self, notes, out=()):
        self.notes = notes
        self.out = list(out)

    def taken_out(self):
        return self.out

    def take_out(self, names):
        self.out = list(names)
        self.notes.append(f"out {' '.join(names)}".strip())


def turn(name):
    return [f"out {name}", f"stop {name}", f"start {name}", "out"]


@pytest.fixture
def notes():
    return []


def tier(notes, out=(), **replicas):
    return [Replica(name, notes, **how) for name, how in replicas.items()], Balancer(notes, out)


def test_each_is_away_only_while_nothing_reaches_it(notes):
    said = []
    restart(*tier(notes, a={}, b={}, c={}), say=said.append)
    assert notes == turn("a") + turn("b") + turn("c")
    assert said == ["a restarted", "b restarted", "c restarted"]


@pytest.mark.parametrize("ready", [True, False])
def test_the_one_that_an_interruption_left_taken_out_is_first(notes, ready):
    restart(*tier(notes, ["b"], a={}, b={"ready": ready}, c={}))
    assert notes == turn("b") + turn("a") + turn("c")


def test_nobody_is_touched_while_another_does_not_serve(notes):
    with pytest.raises(Refused, match="b cannot serve, so a is not restarted"):
        restart(*tier(notes, a={}, b={"ready": False}, c={}))
    assert notes == []


def test_the_only_one_is_not_touched(notes):
    with pytest.raises(Refused, match="no other replica that could serve while a restarts"):
        restart(*tier(notes, a={}))
    assert notes == []


def test_one_that_does_not_come_up_stays_out_and_is_the_last_that_was_touched(notes):
    replicas, balancer = tier(notes, a={}, b={"comes_up": False}, c={})
    with pytest.raises(RuntimeError, match="b is not up"):
        restart(replicas, balancer)
    assert notes == [*turn("a"), "out b", "stop b", "start b"]
    assert balancer.taken_out() == ["b"]
