"""When the watchdog finds that the loop hangs."""

from scheduling.management import watchdog


def test_only_a_loop_that_does_not_move_between_many_looks_hangs(monkeypatch):
    monkeypatch.setattr(watchdog, "MOST", 3)
    dog = watchdog.Watchdog()
    assert [dog.look() for _ in range(5)] == [False, False, False, True, True]
    dog.pet()
    for _ in range(100):
        assert not any(dog.look() for _ in range(3))
        dog.pet()
