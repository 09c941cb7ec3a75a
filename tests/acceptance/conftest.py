import pytest

from tests.acceptance.site import site as lend_site
from tests.acceptance.terminal import Terminal


@pytest.fixture
def site(tmp_path):
    with lend_site(tmp_path) as lent:
        yield lent


@pytest.fixture
def terminal(tmp_path):
    with Terminal(tmp_path / "terminal") as terminal:
        yield terminal
