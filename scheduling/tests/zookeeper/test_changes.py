from scheduling.zookeeper.changes import MOST_BYTES, MOST_OPERATIONS, batches, changes, exactly
from scheduling.zookeeper.mirror import Node


class Transaction:
    """Writes down what is asked of it."""

    def __init__(self):
        self.asked = []

    def create(self, path, value):
        self.asked.append(("create", path, value))

    def set_data(self, path, value, version):
        self.asked.append(("set", path, value, version))

    def delete(self, path, version):
        self.asked.append(("delete", path, version))


def node(value, version=3):
    return Node(value=value, version=version, owner=0, created=1)


def asked(found):
    transaction = Transaction()
    for change in found:
        change.put(transaction)
    return transaction.asked


def test_only_what_differs_is_changed_and_only_if_it_is_as_it_was_read():
    nodes = {"same": node(b"1"), "other": node(b"1", version=0), "gone": node(b"1", version=7)}
    wanted = {"same": b"1", "other": b"2", "gone": None, "new": b"3", "never": None}
    assert asked(changes(wanted, nodes, "/n")) == [
        ("delete", "/n/gone", 7),
        ("create", "/n/new", b"3"),
        ("set", "/n/other", b"2", 0),
    ]


def test_what_is_not_wanted_is_removed():
    assert asked(exactly({"a": b"1"}, {"a": node(b"1"), "b": node(b"1")}, "/n")) == [("delete", "/n/b", 3)]


def test_a_transaction_has_a_bounded_number_of_operations():
    found = changes({f"job-{number:04}": b"1" for number in range(2 * MOST_OPERATIONS + 1)}, {}, "/n")
    assert [len(batch) for batch in batches(found)] == [MOST_OPERATIONS, MOST_OPERATIONS, 1]


def test_a_transaction_has_a_bounded_size():
    found = changes({f"job-{number}": b"x" * (MOST_BYTES // 3) for number in range(5)}, {}, "/n")
    assert [len(batch) for batch in batches(found)] == [2, 2, 1]


def test_one_document_of_the_largest_size_is_a_transaction_of_its_own():
    found = changes(dict.fromkeys("ab", b"x" * MOST_BYTES), {}, "/n")
    assert [len(batch) for batch in batches(found)] == [1, 1]


def test_nothing_to_change_is_one_transaction_that_only_checks():
    assert list(batches([])) == [[]]
