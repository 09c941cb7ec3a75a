"""Where a job's sharding strategy is chosen: one with a name, or the path of a function of one's own."""

import pytest

from scheduling.models import Job
from scheduling.tests.admin.conftest import again, errors_of, filled_in, post, saved, url

pytestmark = pytest.mark.django_db

MINE = "scheduling.domain.sharding.staying"


@pytest.fixture
def mine():
    return saved("mine", strategy=MINE)


def page_of(client, row):
    return client.get(url("job", "change", row.pk)).content.decode()


def test_one_of_those_with_a_name_is_chosen_and_what_stands_in_the_hidden_field_does_not_count(admin_client):
    row = saved()
    post(admin_client, url("job", "change", row.pk), strategy="weighted", strategy_path="left.over")
    assert again(row).strategy == "weighted"


def test_a_function_of_one_s_own_is_saved_by_its_path_without_the_blanks_around_it(admin_client):
    row = saved()
    post(admin_client, url("job", "change", row.pk), strategy="own", strategy_path=f" {MINE} ")
    assert again(row).strategy == MINE
    assert again(row).changed_fields == ["strategy"]


def test_the_form_shows_the_path_of_a_function_of_one_s_own_and_saves_it_again(admin_client, mine):
    page = page_of(admin_client, mine)
    assert '<option value="own" selected>' in page
    assert f'value="{MINE}"' in page
    post(admin_client, url("job", "change", mine.pk), strategy="own", strategy_path=MINE, description="new")
    assert (again(mine).strategy, again(mine).description) == (MINE, "new")


def test_the_form_of_a_new_job_has_sticky_chosen(admin_client):
    page = admin_client.get(url("job", "add")).content.decode()
    assert '<option value="sticky" selected>' in page
    assert '<option value="own">' in page


def test_what_was_typed_stays_in_the_form_when_it_is_refused(admin_client):
    row = saved()
    response = post(admin_client, url("job", "change", row.pk), strategy="own", strategy_path="nowhere.mine")
    assert '<option value="own" selected>' in response.content.decode()
    assert 'value="nowhere.mine"' in response.content.decode()


@pytest.mark.parametrize("typed", ["", "   "])
def test_a_function_of_one_s_own_needs_its_path(admin_client, typed):
    row = saved()
    response = post(admin_client, url("job", "change", row.pk), strategy="own", strategy_path=typed)
    assert "required" in errors_of(response)
    assert '<option value="own" selected>' in response.content.decode()


def test_a_form_without_a_strategy_is_refused(admin_client):
    row = saved()
    sent = filled_in(admin_client, url("job", "change", row.pk))
    del sent["strategy"]
    response = admin_client.post(url("job", "change", row.pk), sent)
    assert "required" in errors_of(response)


def test_the_error_is_translated(admin_client):
    row = saved()
    admin_client.cookies["django_language"] = "zh-hans"
    response = post(admin_client, url("job", "change", row.pk), strategy="own", strategy_path="nowhere.mine")
    assert "无法导入" in errors_of(response)


def test_who_may_only_look_reads_the_strategy_in_words(staff, mine):
    client = staff("view_job")
    assert MINE in page_of(client, mine)
    Job.objects.filter(pk=mine.pk).update(strategy="sticky")
    assert "sticky: moves as few items as it can" in page_of(client, mine)
