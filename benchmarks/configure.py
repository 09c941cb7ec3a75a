"""Configures the jobs of one scenario and disables all others; a process of its own, as people's work is.

python -m benchmarks.configure HANDLER JOBS ITEMS CRON     (without CRON: fires when somebody asks)
"""

import sys

import django

django.setup()

from scheduling.database.ledger import DatabaseLedger  # noqa: E402  needs the settings
from scheduling.domain.job import Job  # noqa: E402
from scheduling.domain.trigger import CronTrigger, ManualTrigger  # noqa: E402


def main(handler: str, jobs: int, items: int, cron: str) -> None:
    ledger = DatabaseLedger()
    wanted = {name: wanted_job(name, handler, items, cron) for name in names(handler, jobs, items)}
    for job in ledger.jobs():
        if job.enabled and job.name not in wanted:
            ledger.configure(disabled(job))
    for job in wanted.values():
        ledger.configure(job)


def names(handler: str, jobs: int, items: int) -> list[str]:
    return [f"{handler}-{items}-{number}" for number in range(jobs)]


def wanted_job(name: str, handler: str, items: int, cron: str) -> Job:
    trigger = CronTrigger(expression=cron) if cron else ManualTrigger()
    return Job(name=name, handler=handler, trigger=trigger, sharding_total_count=items)


def disabled(job: Job) -> Job:
    return Job(name=job.name, handler=job.handler, trigger=job.trigger, enabled=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
