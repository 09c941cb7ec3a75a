"""Reading the configured jobs: rows become domain values once per revision."""

import logging

from scheduling.domain.errors import UnknownTimeZone
from scheduling.domain.job import Job
from scheduling.models import Cursor
from scheduling.models import Job as JobRow

logger = logging.getLogger("scheduling.database")


class JobReader:
    """The jobs as they are configured now; rows are read again only when their revision has changed."""

    def __init__(self) -> None:
        self._jobs: dict[int, tuple[int, Job | None]] = {}

    def read(self) -> tuple[Job, ...]:
        """Return every job that is not retired, without those whose row cannot be meant; these are logged."""
        revisions = dict(Cursor.objects.filter(job__retired_at__isnull=True).values_list("job_id", "revision"))
        known = {id: pair for id, pair in self._jobs.items() if revisions.get(id) == pair[0]}
        if changed := revisions.keys() - known.keys():
            rows = JobRow.objects.select_related("cursor").filter(id__in=sorted(changed))
            known.update({row.id: (row.cursor.revision, _as_domain(row)) for row in rows})
        self._jobs = known
        return tuple(job for _, (_, job) in sorted(known.items()) if job)


def _as_domain(row: JobRow) -> Job | None:
    try:
        return row.as_domain()
    except UnknownTimeZone as error:
        logger.error("job %s is left out until this machine's time zone rules know its zone: %s", row.name, error)
        return None
    except ValueError as error:
        logger.error("job %s is left out until its row is mended in the admin: %s", row.name, error)
        return None
