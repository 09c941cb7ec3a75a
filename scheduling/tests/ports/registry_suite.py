"""The conformance suite of the registry: what every implementation of the port does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from scheduling.domain.errors import SessionExpired
from scheduling.domain.job import Job
from scheduling.ports.registry import Registry
from scheduling.tests.ports.stage import an_instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """One registry: `connect` gives each instance its own, `advance` lets seconds pass, `jobs` can be published."""

    connect: Callable[[], Registry]
    advance: Callable[[float], None]
    jobs: tuple[Job, Job]

    def join(self, id: str, **fields: Any) -> Registry:
        """Return the registry of an instance that has registered."""
        registry = self.connect()
        registry.register(an_instance(id, **fields))
        return registry

    def lead(self, id: str) -> Registry:
        """Return the registry of an instance that leads."""
        registry = self.join(id)
        registry.campaign()
        assert registry.cluster().leader == id
        return registry


class RegistrySuite:
    """Subclasses give a fixture `ensemble`."""

    # Sessions

    def test_registered_instances_see_each_other(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a", pid=1), ensemble.join("b", pid=2)
        expected = {"a": an_instance("a", pid=1), "b": an_instance("b", pid=2)}
        assert a.cluster().instances == b.cluster().instances == expected

    def test_one_that_has_not_registered_sees_the_others(self, ensemble: Ensemble) -> None:
        ensemble.join("a")
        assert set(ensemble.connect().cluster().instances) == {"a"}

    def test_what_an_instance_registers_again_is_seen(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        a.register(an_instance("a", draining=True, handlers=frozenset({"sweep", "mail"})))
        seen = b.cluster().instances["a"]
        assert (seen.draining, seen.handlers) == (True, frozenset({"sweep", "mail"}))

    def test_a_session_lives_as_long_as_it_beats(self, ensemble: Ensemble) -> None:
        a = ensemble.join("a")
        for _ in range(3):
            ensemble.advance(0.8 * a.session_timeout)
            a.beat()
        assert set(a.cluster().instances) == {"a"}

    def test_a_session_ends_after_its_timeout_without_a_beat(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        ensemble.advance(0.8 * a.session_timeout)
        b.beat()
        assert set(b.cluster().instances) == {"a", "b"}
        ensemble.advance(0.3 * a.session_timeout)
        assert set(b.cluster().instances) == {"b"}

    def test_registering_again_keeps_the_session_alive_like_a_beat(self, ensemble: Ensemble) -> None:
        a = ensemble.join("a")
        for _ in range(3):
            ensemble.advance(0.8 * a.session_timeout)
            a.register(an_instance("a"))
        a.beat()

    def test_a_session_that_has_ended_stays_ended(self, ensemble: Ensemble) -> None:
        a = ensemble.join("a")
        ensemble.advance(1.1 * a.session_timeout)
        for _ in range(2):
            with pytest.raises(SessionExpired):
                a.beat()
        assert a.cluster().instances == {}

    def test_registering_begins_a_new_session(self, ensemble: Ensemble) -> None:
        a = ensemble.join("a")
        ensemble.advance(1.1 * a.session_timeout)
        a.register(an_instance("a"))
        a.beat()
        assert set(a.cluster().instances) == {"a"}

    def test_one_that_never_registered_has_no_session(self, ensemble: Ensemble) -> None:
        with pytest.raises(SessionExpired):
            ensemble.connect().beat()

    def test_an_instance_that_leaves_is_gone_at_once(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        a.leave()
        assert set(b.cluster().instances) == {"b"}
        with pytest.raises(SessionExpired):
            a.beat()

    def test_leaving_may_be_repeated(self, ensemble: Ensemble) -> None:
        a = ensemble.join("a")
        for _ in range(2):
            a.leave()
        ensemble.connect().leave()

    def test_a_session_can_be_ended_from_elsewhere_by_its_key(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        ensemble.connect().end_session(a.session_key())
        assert set(b.cluster().instances) == {"b"}

    def test_one_that_ends_a_session_goes_on_with_its_own(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        b.end_session(a.session_key())
        b.beat()
        assert set(b.cluster().instances) == {"b"}

    def test_a_session_that_is_over_may_be_ended_again(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        key = a.session_key()
        a.leave()
        for _ in range(2):
            b.end_session(key)
        assert set(b.cluster().instances) == {"b"}

    def test_ending_the_session_of_the_leader_ends_its_leadership(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        b.end_session(a.session_key())
        assert b.cluster().leader is None
        b.campaign()
        assert b.cluster().leader == "b"

    def test_registering_again_after_an_end_from_elsewhere_has_a_key_that_counts(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        b.end_session(a.session_key())
        a.leave()
        a.register(an_instance("a"))
        assert set(b.cluster().instances) == {"a", "b"}
        b.end_session(a.session_key())
        assert set(b.cluster().instances) == {"b"}

    # Leadership

    def test_nobody_leads_until_one_campaigns(self, ensemble: Ensemble) -> None:
        assert ensemble.join("a").cluster().leader is None

    def test_the_first_to_campaign_leads(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        a.campaign()
        b.campaign()
        assert a.cluster().leader == b.cluster().leader == "a"

    def test_a_leader_that_campaigns_again_keeps_its_epoch(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        epoch = a.cluster().epoch
        a.campaign()
        assert (a.cluster().leader, a.cluster().epoch) == ("a", epoch)

    def test_a_leader_that_registers_a_change_of_itself_keeps_leading(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        epoch = a.cluster().epoch
        a.register(an_instance("a", draining=True))
        assert (a.cluster().leader, a.cluster().epoch) == ("a", epoch)
        assert a.publish(ensemble.jobs, epoch=epoch)

    def test_a_new_leader_has_a_larger_epoch(self, ensemble: Ensemble) -> None:
        epochs = []
        for id in ("a", "b", "a"):
            registry = ensemble.lead(id)
            epochs.append(registry.cluster().epoch)
            registry.leave()
        assert epochs[0] < epochs[1] < epochs[2]

    def test_a_leader_whose_session_has_ended_is_followed_by_another(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        epoch = a.cluster().epoch
        ensemble.advance(0.8 * a.session_timeout)
        b.beat()
        ensemble.advance(0.3 * a.session_timeout)
        assert b.cluster().leader is None
        b.campaign()
        assert b.cluster().leader == "b"
        assert b.cluster().epoch > epoch

    def test_a_leader_whose_session_has_ended_leads_again_only_in_a_new_epoch(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        epoch = a.cluster().epoch
        ensemble.advance(1.1 * a.session_timeout)
        a.register(an_instance("a"))
        assert a.cluster().leader is None
        assert not a.publish(ensemble.jobs, epoch=epoch)
        a.campaign()
        assert a.cluster().leader == "a"
        assert a.cluster().epoch > epoch

    def test_one_without_a_session_cannot_lead(self, ensemble: Ensemble) -> None:
        a, b = ensemble.join("a"), ensemble.join("b")
        a.leave()
        a.campaign()
        assert b.cluster().leader is None
        b.campaign()
        assert b.cluster().leader == "b"

    # What the leader publishes

    def test_what_the_leader_publishes_is_seen_by_all(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        assert a.publish(ensemble.jobs, epoch=a.cluster().epoch)
        seen = b.cluster().jobs
        assert [seen[job.name] for job in ensemble.jobs] == list(ensemble.jobs)

    def test_what_the_leader_assigns_is_seen_by_all(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        first, second = (job.name for job in ensemble.jobs)
        owners = {item: ("a", "b")[item % 2] for item in range(10)}
        assert a.assign({first: owners, second: {0: "b"}}, epoch=a.cluster().epoch)
        assert a.cluster().assignments == b.cluster().assignments == {first: owners, second: {0: "b"}}

    def test_assigning_some_jobs_leaves_the_others_as_they_are(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        first, second = (job.name for job in ensemble.jobs)
        epoch = a.cluster().epoch
        a.assign({first: {0: "a"}, second: {0: "a"}}, epoch=epoch)
        a.assign({first: {0: "b", 1: "a"}}, epoch=epoch)
        assert a.cluster().assignments == {first: {0: "b", 1: "a"}, second: {0: "a"}}

    def test_a_job_without_owners_is_forgotten(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        first, second = (job.name for job in ensemble.jobs)
        a.assign({first: {0: "a"}, second: {0: "a"}}, epoch=a.cluster().epoch)
        assert a.assign({first: {}}, epoch=a.cluster().epoch)
        assert a.cluster().assignments == {second: {0: "a"}}

    def test_assignments_outlive_the_leader(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        name = ensemble.jobs[0].name
        a.assign({name: {0: "a"}}, epoch=a.cluster().epoch)
        a.leave()
        assert b.cluster().assignments == {name: {0: "a"}}

    def test_one_that_does_not_lead_changes_nothing(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        assert_refused(ensemble, b, a.cluster().epoch)

    def test_another_epoch_changes_nothing(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        for difference in (-1, 1):
            assert_refused(ensemble, a, a.cluster().epoch + difference)

    def test_an_old_leader_changes_nothing(self, ensemble: Ensemble) -> None:
        a, b = ensemble.lead("a"), ensemble.join("b")
        epoch = a.cluster().epoch
        ensemble.advance(0.8 * a.session_timeout)
        b.beat()
        ensemble.advance(0.3 * a.session_timeout)
        assert_refused(ensemble, a, epoch)
        b.campaign()
        a.register(an_instance("a"))
        assert_refused(ensemble, a, epoch)

    def test_a_leader_that_has_left_changes_nothing(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        epoch = a.cluster().epoch
        a.leave()
        assert_refused(ensemble, a, epoch)

    def test_a_reading_stays_as_it_was_read(self, ensemble: Ensemble) -> None:
        a = ensemble.lead("a")
        name = ensemble.jobs[0].name
        a.assign({name: {0: "a"}}, epoch=a.cluster().epoch)
        before = a.cluster()
        a.assign({name: {0: "b"}}, epoch=before.epoch)
        ensemble.join("b")
        assert before.assignments == {name: {0: "a"}}
        assert set(before.instances) == {"a"}


def assert_refused(ensemble: Ensemble, registry: Registry, epoch: int) -> None:
    before = replace(registry.cluster(), leader=None)
    assert not registry.publish([], epoch=epoch)
    assert not registry.assign({ensemble.jobs[0].name: {0: "z"}}, epoch=epoch)
    assert replace(registry.cluster(), leader=None) == before
