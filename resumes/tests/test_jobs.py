"""The job, as its handler runs and as whoever watches the log sees it."""

import logging

import pytest

from resumes.jobs import archive
from resumes.models import Resume, ResumeBak
from scheduling.testing import run

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


@pytest.fixture(autouse=True)
def rows() -> None:
    Resume.objects.create(id=16, name="王芳", education="master")
    Resume.objects.create(id=17, name="Li Wei", education="bachelor")


def test_the_message_of_an_execution_names_the_row_it_archived() -> None:
    assert run(archive).result == "archived resume 16"


def test_an_item_parameter_is_the_education_to_archive() -> None:
    run(archive, item=0, parameter="bachelor")
    assert list(ResumeBak.objects.values_list("id", flat=True)) == [17]


def test_an_execution_without_a_row_left_succeeds_and_says_so() -> None:
    assert run(archive, item=0, parameter="doctor").result == "no row left to archive"


def test_each_archived_row_is_one_log_line_with_its_id_name_and_education(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="scheduling.job"):
        run(archive, item=0, parameter="bachelor")
    lines = [record.getMessage() for record in caplog.records if "resume" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("archive-job ")
    assert " item 0 on " in lines[0]
    assert lines[0].endswith(": archived resume 17 Li Wei (bachelor)")


def test_an_execution_that_finds_no_row_writes_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="scheduling.job"):
        run(archive, item=0, parameter="doctor")
    assert "archived resume" not in caplog.text
