import pytest

from scheduling.domain.errors import InvalidAddress
from scheduling.zookeeper.address import Address, parse_address


def test_an_address_is_hosts_and_a_namespace():
    assert parse_address("zookeeper://h1:2181,h2:2182/data-archive-job") == Address(
        hosts="h1:2181,h2:2182", namespace="/data-archive-job", session_timeout=6.0
    )


def test_a_port_may_be_left_out_and_a_host_may_be_a_number():
    assert parse_address("zookeeper://a,[::1]:2182,10.0.0.1/a/b").hosts == "a:2181,[::1]:2182,10.0.0.1:2181"
    assert parse_address("zookeeper://a/a/b").namespace == "/a/b"


def test_login_tls_and_session_timeout_are_read():
    address = parse_address(
        "zookeeper://me:p%40ss@a/n?session_timeout=4.5&tls=true&ca=/etc/ca.pem&certificate=/c.pem&key=/k.pem"
    )
    assert address == Address(
        hosts="a:2181",
        namespace="/n",
        session_timeout=4.5,
        user="me",
        password="p@ss",
        tls=True,
        ca="/etc/ca.pem",
        certificate="/c.pem",
        key="/k.pem",
    )


def test_an_address_is_written_without_its_password():
    assert str(parse_address("zookeeper://me:secret@a/n")) == "zookeeper://a:2181/n"
    assert "secret" not in repr(parse_address("zookeeper://me:secret@a/n"))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("zookeeper:///n", "'' is no host"),
        ("zookeeper://a:99999/n", "'a:99999' is no host"),
        ("zookeeper://a,,b/n", "'' is no host"),
        ("zookeeper://a b/n", "'a b' is no host"),
        ("zookeeper://[::1/n", "check its brackets"),
        ("zookeeper://a", "'' is no namespace"),
        ("zookeeper://a/", "'/' is no namespace"),
        ("zookeeper://a/../n", "'/../n' is no namespace"),
        ("zookeeper://a/zookeeper/n", "is no namespace"),
        ("zookeeper://me@a/n", "write user:password@"),
        ("zookeeper://a/n?timeout=3", "'timeout' is no option"),
        ("zookeeper://a/n?session_timeout=0.5", "'0.5' is outside 1-60 seconds"),
        ("zookeeper://a/n?session_timeout=nan", "'nan' is outside"),
        ("zookeeper://a/n?tls=yes", "tls is 'yes': write true or false"),
        ("zookeeper://a/n?tls=true&key=/k.pem", "certificate and key belong together"),
        ("zookeeper://a/n?ca=/ca.pem", "need tls=true"),
        ("zookeeper://a/n?tls=true&tls=false", "tls is written twice"),
        ("zookeeper://a..b/n", "'a..b' is no host"),
        (f"zookeeper://{'a' * 64}/n", "is no host"),
    ],
)
def test_what_is_wrong_is_named(url, problem):
    with pytest.raises(InvalidAddress) as caught:
        parse_address(url)
    assert problem in str(caught.value)


@pytest.mark.parametrize("password", ["se/cret", "1/cret", "se#cret", "se?cret"])
def test_a_password_that_cuts_the_url_is_not_shown(password):
    with pytest.raises(InvalidAddress, match="%2F, %23, %3F") as caught:
        parse_address(f"zookeeper://user:{password}@host/n")
    assert "se" not in str(caught.value) and "cret" not in str(caught.value)


def test_files_that_are_not_there_are_named(tmp_path):
    (tmp_path / "ca.pem").touch()
    url = f"zookeeper://a/n?tls=true&ca={tmp_path / 'ca.pem'}&certificate=/nowhere.pem&key=/nowhere.key"
    assert parse_address(url).missing_files() == ["/nowhere.pem", "/nowhere.key"]
