"""What only the leader does, on the stage."""

from scheduling.domain.errors import LedgerUnavailable
from scheduling.tests.runtime.stage import Stage

SHOW = 2.0


def shown(stage):
    cluster, by, at = stage.ledger.shown
    return cluster, by, (stage.now() - at).total_seconds()


def test_the_leader_shows_what_it_sees_at_least_every_two_seconds():
    stage = Stage()
    stage.configure(sharding_total_count=4)
    stage.node("a")
    stage.node("b")
    stage.play(5)
    for _ in range(20):
        stage.play(0.5)
        cluster, by, ago = shown(stage)
        assert by == stage.ensemble.leader
        assert ago <= SHOW + 0.5
        assert set(cluster.instances) == {"a", "b"}
        assert cluster.assignments["job"] == stage.ensemble.assignments["job"]


def test_a_change_is_shown_within_the_next_reading():
    stage = Stage()
    stage.configure(sharding_total_count=4)
    stage.node("a")
    stage.play(5)
    stage.node("b")
    stage.play(1.5)
    cluster, _by, _ago = shown(stage)
    assert set(cluster.assignments["job"].values()) == {"a", "b"}


def test_only_the_leader_shows_and_the_next_one_goes_on():
    stage = Stage()
    stage.configure()
    stage.node("a")
    stage.play(2)
    stage.node("b")
    stage.play(2)
    first = shown(stage)[1]
    assert first == stage.ensemble.leader
    stage.actors[first].frozen = True
    stage.play(15)
    _cluster, by, ago = shown(stage)
    assert by != first
    assert ago <= SHOW + 0.5


def test_what_could_not_be_shown_is_shown_once_the_ledger_answers_again(monkeypatch, caplog):
    stage = Stage()
    stage.configure(sharding_total_count=4)
    stage.node("a")
    stage.play(3)
    before = shown(stage)[0]
    with monkeypatch.context() as patch:
        patch.setattr(stage.ledger, "show", lost)
        stage.node("b")
        stage.play(5)
        assert stage.ledger.shown[0] is before
        assert "nothing starts until the ledger answers again" in caplog.text
    stage.play(1)
    assert set(shown(stage)[0].instances) == {"a", "b"}


def lost(cluster, *, by):
    raise LedgerUnavailable("lost")


def test_what_nobody_of_us_wrote_is_published_again(monkeypatch):
    from dataclasses import replace

    stage = Stage()
    stage.configure()
    actor = stage.node("a")
    stage.play(3)
    registry = actor.membership._registry
    seen, published = registry.cluster, []
    monkeypatch.setattr(registry, "cluster", lambda: replace(seen(), foreign=frozenset({"jobs/junk"})))
    monkeypatch.setattr(registry, "publish", lambda jobs, epoch: published.append([job.name for job in jobs]) or True)
    stage.play(1)
    assert published[0] == ["job"]
