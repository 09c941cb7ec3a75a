"""An outage and what follows it: schedulers at work, something taken from them and given back, and nothing lost."""

import signal
import time
from collections.abc import Callable
from functools import partial

from tests.acceptance.promises import check_fire_times, check_runs, living, shares
from tests.acceptance.site import Site, eventually

ITEMS_OF_A_WHILE = 4
ARCHIVED = "SELECT COUNT(*) FROM resume WHERE state = '已归档'"
COPIES = "SELECT COUNT(*) FROM resume_bak"


class Schedulers:
    """Two schedulers of a site at work, and which instances they are."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.manage("seedresumes", "300")
        self.running = [site.scheduler() for _ in range(2)]
        eventually(lambda: shares(site, 2), 40, "every scheduler owns its share")
        self.instances = living(site)
        self._requests = 0

    def restart(self) -> None:
        """Drain both, and start two others."""
        gone = living(self.site)
        for scheduler in self.running:
            scheduler.signal(signal.SIGTERM)
        assert [scheduler.wait() for scheduler in self.running] == [0, 0]
        self.running = [self.site.scheduler() for _ in range(2)]
        eventually(lambda: not living(self.site) & gone and shares(self.site, 2), 40, "the others own all")
        self.instances = living(self.site)

    def kill_all(self) -> None:
        """Kill both at once, and start two others."""
        gone = living(self.site)
        for scheduler in self.running:
            scheduler.kill()
        self.running = [self.site.scheduler() for _ in range(2)]
        eventually(lambda: not living(self.site) & gone and shares(self.site, 2), 60, "the others own all")
        self.instances = living(self.site)

    def replace_one(self) -> None:
        """Kill one, start another, and wait until everybody knows."""
        self.running.pop().kill()
        self.running.append(self.site.scheduler())
        eventually(lambda: len(living(self.site) - self.instances) == 1, 40, "another has come")
        eventually(lambda: len(living(self.site)) == 2 and shares(self.site, 2), 40, "the two that run own all")
        self.instances = living(self.site)

    def strike(self, strike: Callable[[], object], seconds: float, mend: Callable[[], object]) -> None:
        """Take something away for so long, while executions run and end; check that they ran once, and all goes on."""
        fire = self._run_some()
        try:
            strike()
            time.sleep(seconds)
        finally:
            mend()
        self.check_goes_on()
        ended = f"SELECT state, attempt FROM scheduling_execution WHERE fire_id = {fire}"
        eventually(
            lambda: self.site.rows(ended) == [("succeeded", 1)] * ITEMS_OF_A_WHILE,
            20,
            "what ended meanwhile is written, and ran once",
        )
        self.check_order()

    def check_goes_on(self) -> None:
        """Items run again, and resumes are archived again."""
        notes, copies = len(self.site.notes()), copied(self.site)
        eventually(lambda: len(self.site.notes()) > notes + 200, 40, "items run again")
        eventually(lambda: copied(self.site) > copies, 40, "resumes are archived again")

    def check_order(self) -> None:
        """Nobody died, nothing ran twice, no fire time is lost, and nothing is half applied."""
        assert [scheduler.process.poll() for scheduler in self.running] == [None] * len(self.running)
        assert living(self.site) == self.instances
        check_runs(self.site, at_least=100)
        check_fire_times(self.site, at_least=2)
        # Two questions, between which one more may be archived.
        eventually(lambda: self.site.rows(ARCHIVED) == self.site.rows(COPIES), 5, "each archived resume has its copy")

    def _run_some(self) -> int:
        """Ask for a fire whose items run for three seconds; return its id when all of them run."""
        for _try in range(5):
            self._requests += 1
            self.site.request("probe-while", self._requests)
            ((fire,),) = self.site.rows("SELECT MAX(id) FROM scheduling_fire WHERE kind = 'manual'")
            states = f"SELECT state FROM scheduling_execution WHERE fire_id = {fire}"
            begun = eventually(partial(self._begun, states), 20, "all four items have begun")
            if begun == {"running"}:
                return int(fire)
        raise AssertionError("all four items run at one time")  # on a machine that is too slow for this test

    def _begun(self, states: str) -> set[str]:
        found = {state for (state,) in self.site.rows(states)}
        return found if found and "pending" not in found else set()


def copied(site: Site) -> int:
    ((count,),) = site.rows(COPIES)
    return int(count)
