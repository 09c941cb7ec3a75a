"""Archiving one resume: which row is next, and its copy in `resume_bak`."""

from django.db.models import F, QuerySet

from resumes.models import Resume, ResumeBak, State


def archive_next(item: int, total: int, parameter: str) -> list[Resume]:
    """Archive the item's not yet archived row with the lowest id and return it; no row if none is left.

    An item with a parameter takes the rows of that education, one without takes its share by `id % total`; so give
    all items of a job a parameter, or none. It has to run in a transaction: the row is changed first, then copied.
    """
    row = _lock_lowest(_rows_of(item, total, parameter))
    if row is None:
        return []
    row.state = State.ARCHIVED
    row.save(update_fields=["state"])
    _copy(row)
    return [row]


def _rows_of(item: int, total: int, parameter: str) -> QuerySet[Resume]:
    rows = Resume.objects.filter(state=State.NOT_ARCHIVED)
    if parameter:
        return rows.filter(education=parameter)
    return rows.alias(share=F("id") % total).filter(share=item)


def _lock_lowest(rows: QuerySet[Resume]) -> Resume | None:
    """Lock the row with the lowest id and return it as it is now.

    The search itself locks nothing: it walks over rows of other items, and one of those whose process is frozen
    would stop them all. A row that was changed between search and lock is passed over.
    """
    ids = rows.order_by("id").values_list("id", flat=True)
    lowest = ids.first()
    while lowest is not None:
        if (row := rows.select_for_update().filter(id=lowest).first()) is not None:
            return row
        lowest = ids.filter(id__gt=lowest).first()
    return None


def _copy(row: Resume) -> None:
    # A copy is there already when somebody has set an archived row back. The later state of the row replaces it:
    # an error would come again every two seconds, and the item would never reach its next row.
    columns = [field.attname for field in Resume._meta.concrete_fields]
    ResumeBak(**{column: getattr(row, column) for column in columns}).save()
