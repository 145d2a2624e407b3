"""What a worker tells of its load."""

from media.load import Load


def test_lateness_is_told_once() -> None:
    load = Load()
    for late_s in (0.001, 0.0199, 0.02, 0.05):
        load.tick(late_s)
    assert load.take(1.0) == (50.0, 2, 0.0)
    assert load.take(2.0) == (0.0, 0, 0.0)


def test_the_share_of_a_core_since_the_last_time() -> None:
    used = iter([5.0, 5.5, 5.5])
    load = Load(lambda: next(used))
    assert load.take(100.0)[2] == 0.0, "nothing to compare with"
    assert load.take(101.0)[2] == 0.5
    assert load.take(101.0)[2] == 0.0, "no time has passed"
