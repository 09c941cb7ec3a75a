import pytest

from deploy.servers.zookeeper import ZooKeeper
from tests.acceptance.site import site as lend_site
from tests.acceptance.terminal import Terminal


@pytest.fixture(params=["database", "zookeeper"])
def registry(request):
    """Lend the REGISTRY_URL of a registry of either kind."""
    if request.param == "database":
        yield "database://"
    else:
        with ZooKeeper() as server:
            yield server.url()


@pytest.fixture
def site(tmp_path, registry):
    """Lend a site of its own to a test, once on each registry."""
    with lend_site(tmp_path, registry=registry) as lent:
        yield lent


@pytest.fixture
def terminal(tmp_path):
    with Terminal(tmp_path / "terminal") as terminal:
        yield terminal
