"""The queue at the door."""

from web.api.turns import FORGET_S, Turns


def test_first_come_first_served_and_who_goes_is_forgotten() -> None:
    now = [0.0]
    turns = Turns(lambda: now[0])
    (a, before_a), (b, before_b), (c, before_c) = (turns.take("") for _ in range(3))
    assert (before_a, before_b, before_c) == (0, 1, 2) and len({a, b, c}) == 3
    now[0] = FORGET_S - 1
    assert turns.take(c) == (c, 2) and turns.take(a) == (a, 0)
    now[0] = FORGET_S + 1
    assert turns.take(c) == (c, 1), "b has not asked for too long"
    turns.leave(a)
    assert turns.take(c) == (c, 0)
    assert turns.take(None) == (None, 1), "who only asks stands nowhere"
    assert turns.take("never given")[0] != "never given"


def test_who_went_away_is_not_counted_although_nobody_asks_any_more() -> None:
    now = [0.0]
    turns = Turns(lambda: now[0])
    turns.take("")
    assert len(turns) == 1
    now[0] = FORGET_S + 1
    assert len(turns) == 0
