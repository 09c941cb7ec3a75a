"""What every ledger does with what the leader sees in the registry."""

from dataclasses import replace

from scheduling.domain.cluster import Cluster
from scheduling.tests.ports.stage import Stage, an_instance

CLUSTER = Cluster(
    instances={"a": an_instance("a", capacity=3), "b": an_instance("b", draining=True)},
    leader="a",
    epoch=7,
    assignments={"job": {0: "a", 1: "a", 2: "b"}},
)
NEXT = replace(CLUSTER, leader="b", epoch=8)


class ShowingSuite:
    def test_nothing_is_kept_before_anything_was_shown(self, stage: Stage) -> None:
        assert stage.probe.shown() is None

    def test_what_is_shown_is_kept_with_who_saw_it_and_when_by_the_ledger_s_clock(self, stage: Stage) -> None:
        before = stage.ledger.cursors().now
        stage.ledger.show(CLUSTER, by="a")
        shown = stage.probe.shown()
        assert shown is not None
        assert shown[:2] == (CLUSTER, "a")
        assert before <= shown[2] <= stage.ledger.cursors().now

    def test_what_has_not_changed_is_as_old_as_the_last_look(self, stage: Stage) -> None:
        stage.ledger.show(CLUSTER, by="a")
        before = stage.ledger.cursors().now
        stage.ledger.show(replace(CLUSTER), by="a")
        shown = stage.probe.shown()
        assert shown is not None
        assert shown[:2] == (CLUSTER, "a")
        assert shown[2] >= before

    def test_each_change_is_kept(self, stage: Stage) -> None:
        moved = replace(CLUSTER, assignments={"job": {0: "b"}})
        ended = replace(CLUSTER, instances={"b": an_instance("b")}, assignments={})
        for cluster in (CLUSTER, moved, ended, CLUSTER):
            stage.ledger.show(cluster, by="a")
            assert self.shown(stage) == (cluster, "a")

    def test_another_leader_s_is_kept_and_then_the_first_one_s_again(self, stage: Stage) -> None:
        a, b = stage.make_ledger(), stage.make_ledger()
        for ledger, cluster, by in ((a, CLUSTER, "a"), (b, NEXT, "b"), (a, CLUSTER, "a"), (b, NEXT, "b")):
            ledger.show(cluster, by=by)
            assert self.shown(stage) == (cluster, by)

    def test_several_that_show_at_one_instant_leave_what_one_of_them_saw(self, stage: Stage) -> None:
        both = (CLUSTER, NEXT)
        stage.together(lambda ledger, cluster: ledger.show(cluster, by=cluster.leader or ""), both)
        assert self.shown(stage) in [(cluster, cluster.leader) for cluster in both]

    def test_a_thousand_jobs_with_ten_items_each_fit(self, stage: Stage) -> None:
        owners = {f"job-{n}": {item: f"instance-number-{item % 5}" for item in range(10)} for n in range(1000)}
        big = replace(CLUSTER, assignments=owners)
        stage.ledger.show(big, by="a")
        assert self.shown(stage) == (big, "a")

    def shown(self, stage: Stage) -> tuple[Cluster, str] | None:
        shown = stage.probe.shown()
        return shown and shown[:2]
