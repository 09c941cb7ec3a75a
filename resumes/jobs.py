"""The job of the sample: it archives one resume every two seconds."""

from django.utils.translation import gettext

from resumes.archiving import archive_next
from scheduling import Context, job


@job(
    "archive-job",
    cron="*/2 * * * * ?",
    sharding_total_count=1,
    description="Archives the next resume: marks the row and copies it to resume_bak.",
)
def archive(context: Context) -> str:
    """Archive the item's next resume, and return what to keep as the execution's message."""
    rows = context.once("archive", lambda: archive_next(context.item, context.total, context.parameter))
    if rows is None:
        return gettext("an earlier attempt has done it")
    if not rows:
        return gettext("no row left to archive")
    row = rows[0]
    context.log.info("archived resume %d %s (%s)", row.id, row.name, row.education)
    return gettext("archived resume %(id)d") % {"id": row.id}
