import pytest

from tests.acceptance.site import site as lend_site


@pytest.fixture
def site(tmp_path):
    with lend_site(tmp_path) as lent:
        yield lent
