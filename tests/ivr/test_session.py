"""One caller's walk, step by step; and that it ends or waits whatever the caller and the graph do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from ivr.flow import Flow, check
from ivr.messages import (
    Answer,
    Entered,
    EnterQueue,
    HangUp,
    Input,
    Key,
    Output,
    Play,
    PlayDone,
    Start,
    StopPlay,
    Transfer,
)
from ivr.node import Edge, Go, Leave, Node, Visit, Wait, Walk
from ivr.session import MAX_KEYS_AHEAD, MAX_STEPS, Session
from tests.support.walk import Caller, flow

MENU: dict[str, Any] = {
    "type": "menu",
    "prompt": "Choose.",
    "keys": {"1": "sales", "*": "@repeat", "2": "more"},
    "timeout_s": 4.0,
    "retries": 2,
    "invalid_prompt": "Wrong.",
    "timeout_prompt": "Still there?",
    "otherwise": "operator",
}
MAIN: dict[str, dict[str, Any]] = {
    "welcome": {"type": "play", "prompt": "Welcome.", "next": "choose"},
    "choose": MENU,
    "more": {"type": "menu", "prompt": "More.", "keys": {"#": "@back", "0": "@hangup", "9": "choose"}},
    "sales": {"type": "queue", "queue": "sales", "call_type": "new order", "priority": 3},
    "operator": {"type": "transfer", "target": "extension:200", "call_type": "lost"},
}


@pytest.fixture
def caller() -> Caller:
    return Caller(flow("welcome", MAIN))


def test_the_plain_way(caller: Caller) -> None:
    assert caller.last == [Entered("main", "welcome"), Play(1, caller.last[1].prompts)]  # type: ignore[union-attr]
    assert caller.hears == ["Welcome."]
    caller.listen()
    assert caller.hears == ["Choose."]
    assert caller.session.deadline() is None
    caller.listen()
    assert caller.session.deadline() == caller.now + 4.0
    assert caller.press("1") == [Entered("main", "sales", {"key": "1"}), EnterQueue("sales", 3, "new order")]
    assert caller.session.done
    assert caller.path == ["main.welcome", "main.choose", "main.sales"]
    assert caller.session.deadline() is None


def test_a_key_interrupts_the_prompt_at_once(caller: Caller) -> None:
    caller.listen()
    playing = caller.playing
    assert caller.press("1")[0] == StopPlay(playing)
    assert caller.session.done


def test_a_key_during_the_welcome_is_the_choice(caller: Caller) -> None:
    outputs = caller.press("1")
    assert outputs == [
        StopPlay(1),
        Entered("main", "choose"),
        Entered("main", "sales", {"key": "1"}),
        EnterQueue("sales", 3, "new order"),
    ]


def test_keys_ahead_go_through_several_menus(caller: Caller) -> None:
    caller.press("2")
    caller.press("#")
    assert caller.path[-2:] == ["main.more", "main.choose"]


def test_silence_and_wrong_keys_are_counted_together_and_end_at_otherwise(caller: Caller) -> None:
    caller.listen()
    caller.listen()
    caller.silence()
    assert caller.hears == ["Still there?", "Choose."]
    caller.press("7")
    assert caller.hears == ["Wrong.", "Choose."]
    caller.listen()
    outputs = caller.silence()
    assert outputs == [Entered("main", "operator", {"timeout": ""}), Transfer("extension:200", "lost")]


def test_the_last_wrong_key_is_in_the_log(caller: Caller) -> None:
    caller.listen()
    assert caller.press("777")[1] == Entered("main", "operator", {"invalid": "7"})


def test_repeat_says_it_again_and_is_no_failure(caller: Caller) -> None:
    caller.listen()
    for _ in range(10):
        caller.press("*")
        assert caller.hears == ["Choose."]
    assert not caller.session.done


def test_back_returns_to_the_menu_before(caller: Caller) -> None:
    caller.listen()
    caller.press("2")
    assert caller.hears == ["More."]
    caller.press("#")
    assert caller.hears == ["Choose."]
    assert caller.last[1] == Entered("main", "choose", {"key": "#"})


def test_back_where_there_is_nothing_before_asks_again() -> None:
    alone = Caller(flow("m", {"m": {"type": "menu", "prompt": "Alone.", "keys": {"#": "@back"}}}))
    alone.press("#")
    assert alone.hears == ["Alone."]
    assert alone.path == ["main.m", "main.m"]


def test_going_to_a_menu_on_the_way_back_shortens_the_way(caller: Caller) -> None:
    caller.listen()
    for _ in range(20):
        caller.press("29")
    caller.press("2")
    caller.press("#")
    assert caller.path[-1] == "main.choose"


def test_a_prompt_without_barge_in_is_heard_to_the_end_and_keeps_the_keys() -> None:
    strict = Caller(flow("choose", {**MAIN, "choose": {**MENU, "barge_in": False}}))
    assert strict.press("1") == []
    assert strict.hears == ["Choose."]
    assert strict.listen()[-1] == EnterQueue("sales", 3, "new order")


def test_keys_ahead_are_bounded() -> None:
    strict = Caller(flow("choose", {**MAIN, "choose": {**MENU, "barge_in": False, "retries": 0}}))
    strict.press("*" * (MAX_KEYS_AHEAD * 3))
    for _ in range(MAX_KEYS_AHEAD):
        assert [type(output) for output in strict.listen()] == [Play]
    assert strict.listen() == []
    assert strict.session.deadline() is not None


def test_after_a_wrong_key_what_was_typed_ahead_is_forgotten() -> None:
    strict = Caller(flow("choose", {**MAIN, "choose": {**MENU, "barge_in": False}}))
    strict.press("71")
    strict.listen()
    assert strict.hears == ["Wrong.", "Choose."]
    strict.listen()
    assert not strict.session.done


def test_an_old_play_done_changes_nothing(caller: Caller) -> None:
    caller.listen()
    assert caller.send(PlayDone(1)) == []
    assert caller.send(PlayDone(99)) == []
    assert caller.hears == ["Choose."]


@pytest.mark.parametrize("digit", ["", "x", "12", "\0", "a"])
def test_what_is_no_key_is_ignored(caller: Caller, digit: str) -> None:
    caller.listen()
    assert caller.send(Key(digit)) == []


def test_nothing_happens_before_the_start_twice_or_after_the_end(caller: Caller) -> None:
    fresh = Session({"main": flow("welcome", MAIN)}, "main")
    assert fresh.handle(Key("1"), 0.0) == []
    assert fresh.deadline() is None
    assert fresh.handle_timer(1e9) == []
    assert caller.send(Start()) == []
    caller.press("1")
    for event in (Start(), Key("1"), PlayDone(2)):
        assert caller.send(event) == []
    assert caller.session.handle_timer(1e9) == []


def test_a_timer_that_comes_early_does_nothing(caller: Caller) -> None:
    caller.listen()
    caller.listen()
    assert caller.session.handle_timer(caller.now + 3.999) == []
    assert caller.session.handle_timer(caller.now + 4.0) != []


def test_hangup_says_its_last_word() -> None:
    bye = Caller(flow("bye", {"bye": {"type": "hangup", "prompt": "Goodbye.", "cause": "closed"}}))
    assert bye.hears == ["Goodbye."]
    assert bye.press("1") == []
    assert bye.listen() == [HangUp("closed")]


def test_hanging_up_from_a_menu() -> None:
    mute: dict[str, dict[str, Any]] = {
        "m": {"type": "menu", "prompt": "?", "keys": {"0": "@hangup"}, "retries": 0}
    }
    caller = Caller(flow("m", mute))
    assert caller.press("0")[-1] == HangUp("completed")
    caller = Caller(flow("m", mute))
    caller.listen()
    assert caller.silence() == [HangUp("no-choice")]


def test_a_play_may_be_the_last_thing() -> None:
    caller = Caller(flow("p", {"p": {"type": "play", "prompt": "Closed.", "next": "@hangup"}}))
    assert caller.listen() == [HangUp("completed")]


def test_another_flow_is_entered_within_the_walk_and_speaks_its_language() -> None:
    first = flow("go", {"go": {"type": "transfer", "target": "flow:second"}}, "first", "en")
    second = flow("m", {"m": {"type": "menu", "prompt": "Ja?", "keys": {"1": "flow:first"}}}, "second", "de")
    caller = Caller(first, second)
    assert caller.path == ["first.go", "second.m"]
    [play] = [output for output in caller.last if isinstance(output, Play)]
    assert play.prompts[0].language == "de"


def test_a_caller_who_presses_keys_for_ever_is_cut(caller: Caller) -> None:
    caller.listen()
    for _ in range(MAX_STEPS):
        caller.press("2")
        if caller.session.done:
            break
        caller.press("9")
    assert caller.last[-1] == HangUp("too-long", f"{MAX_STEPS} nodes entered in one call")
    assert len(caller.path) == MAX_STEPS


# ----- node types of third parties that are wrong


class Raises(Node):
    def visit(self, walk: Walk) -> Visit:
        walk.play(())
        yield Wait()
        raise ZeroDivisionError("by a plug-in")

    def edges(self) -> tuple[Edge, ...]:
        return (Edge("next", "@hangup"),)


class NoGenerator(Node):
    def visit(self, walk: Walk) -> Visit:
        raise OSError("no database")


class WaitsForNothing(Node):
    def visit(self, walk: Walk) -> Visit:
        yield Wait()
        return Leave(HangUp())


class GoesNowhere(Node):
    def visit(self, walk: Walk) -> Visit:
        yield Wait(until=walk.now + 1)
        return Go("nowhere")


class ReturnsNothing(Node):
    def visit(self, walk: Walk) -> Visit:
        yield Wait(until=walk.now)
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (Raises(), "ZeroDivisionError: by a plug-in"),
        (NoGenerator(), "OSError: no database"),
        (WaitsForNothing(), "waits for nothing"),
        (GoesNowhere(), "there is no 'nowhere'"),
        (ReturnsNothing(), "returned None"),
        (Node(), "NotImplementedError"),
    ],
)
def test_a_broken_node_ends_the_walk_and_is_named(node: Node, why: str) -> None:
    session = Session({"main": Flow("main", "bad", {"bad": node})}, "main")
    outputs = session.handle(Start(), 0.0)
    if not session.done and (deadline := session.deadline()) is not None:
        outputs = session.handle_timer(deadline)
    elif not session.done:
        outputs = session.handle(PlayDone(1), 1.0)
    assert session.done
    [end] = [output for output in outputs if isinstance(output, HangUp)]
    assert end.cause == "failure"
    assert "node main.bad: " in end.detail
    assert why in end.detail


# ----- any graph, any caller

NAMES = [f"n{i}" for i in range(6)]
KEYS = st.sampled_from("0123456789*#ABCD")
TEXTS = st.sampled_from(["One.", "Two.", ["One.", "Two."]])
ENDS: list[dict[str, Any]] = [
    {"type": "queue", "queue": "sales"},
    {"type": "queue", "queue": "sales", "prompt": "Wait."},
    {"type": "transfer", "target": "extension:201", "prompt": "Wait."},
    {"type": "hangup"},
    {"type": "hangup", "prompt": "Bye."},
    {"type": "agent", "agent": "anna", "fallback": "queue:sales", "prompt": "Wait, {v0}."},
]


@cache
def nodes(ahead: tuple[str, ...], *flows: str) -> st.SearchStrategy[dict[str, Any]]:
    """A node that leads in silence to one of `ahead` (few graphs have circles then), by keys to anywhere."""
    silent = st.sampled_from([*ahead, *ahead, *ahead, "@hangup", *NAMES[:1], *flows])
    keyed = st.sampled_from([*NAMES, "@hangup", "@back", "@repeat", "@return", "flow:f0", "flow:f1"])
    play = {"type": st.just("play"), "prompt": TEXTS, "next": silent, "barge_in": st.booleans()}
    menu = {
        "type": st.just("menu"),
        "prompt": TEXTS,
        "keys": st.dictionaries(KEYS, keyed, min_size=1, max_size=6),
        "otherwise": silent,
        "retries": st.integers(0, 3),
        "barge_in": st.booleans(),
    }
    ends = st.sampled_from([*ENDS, *({"type": "transfer", "target": other} for other in flows)])
    return st.one_of(
        st.fixed_dictionaries(play),
        *[st.fixed_dictionaries(menu)] * 3,
        *_more(silent, keyed, [one.removeprefix("flow:") for one in flows]),
        ends,
    )


VARIABLES = st.sampled_from(["v0", "v1"])
CONDITIONS = st.sampled_from(
    [{"v0": "1"}, {"v1": "~[0-9]"}, {"status": "vip"}, {"v0": "", "time": "0:00-12:00"}]
)


def _more(
    silent: st.SearchStrategy[str], keyed: st.SearchStrategy[str], called: list[str]
) -> list[st.SearchStrategy[dict[str, Any]]]:
    """The nodes that decide, ask and remember."""
    case = st.fixed_dictionaries({"when": CONDITIONS, "to": silent})
    found: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "collect": {
            "prompt": TEXTS,
            "into": VARIABLES,
            "next": keyed.filter(lambda target: target not in ("@back", "@repeat")),
            "otherwise": silent,
            "max_digits": st.integers(1, 3),
            "retries": st.integers(0, 2),
            "terminator": st.sampled_from(["#", "*", ""]),
            "barge_in": st.booleans(),
        },
        "say": {
            "kind": st.sampled_from(["number", "date", "digits", "text"]),
            "value": st.sampled_from(["{v0}", "12", "{status}"]),
            "next": silent,
            "otherwise": silent,
        },
        "branch": {"cases": st.lists(case, min_size=1, max_size=3), "otherwise": silent},
        "set": {"values": st.just({"v0": "{v1}", "v1": "7"}), "next": silent},
        "language": {"language": st.sampled_from(["en", "ru"]), "next": silent},
        "callback": {"queue": st.just("sales"), "next": silent, "otherwise": silent},
    }
    if called:
        found["subflow"] = {"flow": st.sampled_from(called), "next": silent}
    optional = {"collect": {"confirm": st.just("You said {v0:digits}")}}
    return [
        st.fixed_dictionaries({"type": st.just(name), **one}, optional=optional.get(name))
        for name, one in found.items()
    ]


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Flow]:
    """Any two flows whose targets exist; mostly sound, sometimes with circles or unreachable nodes."""
    made = {}
    for name, others in (("f0", ("flow:f1",)), ("f1", ())):
        content = {node: draw(nodes(tuple(NAMES[i + 1 :]), *others)) for i, node in enumerate(NAMES)}
        made[name] = flow(draw(st.sampled_from(NAMES[:2])), content, name)
    return made


def events(play: int) -> st.SearchStrategy[Input | float]:
    done = st.builds(PlayDone, st.sampled_from([play, play, play, 0, 99]))
    results = st.sampled_from([{}, {"callback": "promised"}, {"callback": "already"}])
    answer = st.builds(Answer, st.integers(0, 3), results, st.sampled_from(["", "broken"]))
    return st.one_of(st.builds(Key, KEYS), done, st.just(Start()), st.floats(0, 20), answer)


# Shrinking graphs takes minutes; what fails is shown as it was found.
@settings(max_examples=60, deadline=None, phases=(Phase.generate,))
@given(flows(), st.data())
def test_every_walk_through_a_sound_graph_ends_or_waits(graph: dict[str, Flow], data: st.DataObject) -> None:
    # Nodes that cannot be reached do no harm to a walk.
    harmless = ("no way leads here", "no node sets")
    assume(not [one for one in check(graph) if not any(why in one.message for why in harmless)])
    session, now, playing = Session(graph, "f0"), 0.0, 0
    outputs = session.handle(Start(), now)
    ends = 0
    for _ in range(data.draw(st.integers(0, 40))):
        playing, ends = _follow(session, outputs, playing, ends)
        event = data.draw(events(playing))
        if isinstance(event, float):
            now += event
            outputs = session.handle_timer(now)
        else:
            outputs = session.handle(event, now)
        assert len(outputs) < 200
    # From here on the caller does nothing: the walk must come to its end by itself.
    for _ in range(400):
        playing, ends = _follow(session, outputs, playing, ends)
        if session.done:
            break
        deadline = session.deadline()
        if deadline is not None:
            assert deadline > now
            now = deadline
            outputs = session.handle_timer(now)
        else:
            outputs = session.handle(PlayDone(playing), now)
    assert session.done
    assert ends == 1


def _follow(session: Session, outputs: Sequence[Output], playing: int, ends: int) -> tuple[int, int]:
    """Note what is playing and count the ends; the end is the last output and nothing follows it."""
    for position, output in enumerate(outputs):
        assert ends == 0
        if isinstance(output, Play):
            assert output.play > playing
            playing = output.play
        elif isinstance(output, StopPlay):
            assert output.play == playing
        elif isinstance(output, EnterQueue | Transfer | HangUp):
            assert position == len(outputs) - 1
            assert session.done
            assert not (isinstance(output, HangUp) and output.cause == "failure")
            ends += 1
    return playing, ends


# ----- going on in another process


def resumed(caller: Caller, *flows: Flow) -> tuple[Session, list[Output]]:
    """A second session, of these flows, that goes on where the caller stands."""
    standing = caller.session.standing
    session = Session({each.name: each for each in flows}, standing.start)
    return session, session.resume(standing, 2000.0)


@given(keys=st.text("1290*#", max_size=12))
def test_another_session_goes_on_as_this_one_does(keys: str) -> None:
    """Wherever his keys have led him, they have the same outcome in both; but wrong ones, which are counted
    from the beginning in the other."""
    caller = Caller(flow("welcome", MAIN))
    caller.listen()
    for key in keys[:-4]:
        if not caller.session.done and key in MAIN[caller.at.removeprefix("main.")]["keys"]:
            caller.press(key)
    assume(not caller.session.done)
    session, outputs = resumed(caller, flow("welcome", MAIN))
    assert [type(output) for output in outputs] == [Play], "he hears it, and has entered nothing"
    assert session.standing == caller.session.standing
    for key in keys[-4:]:
        if caller.session.done or key not in MAIN[caller.at.removeprefix("main.")]["keys"]:
            break
        ours, theirs = (
            [one for one in outputs if not isinstance(one, Play | StopPlay)]
            for outputs in (session.handle(Key(key), caller.now), caller.send(Key(key)))
        )
        assert ours == theirs and session.done == caller.session.done


def test_the_nodes_that_were_entered_count_in_another_session(caller: Caller) -> None:
    caller.listen()
    while caller.session.standing.steps < MAX_STEPS - 1:
        caller.press("2" if caller.at == "main.choose" else "9")
    session, _ = resumed(caller, flow("welcome", MAIN))
    outputs = [output for key in "2929" for output in session.handle(Key(key), 0.0)]
    assert outputs[-1] == HangUp("too-long", f"{MAX_STEPS} nodes entered in one call")
