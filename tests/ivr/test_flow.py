"""The check of the graph: every fault is found, all at once, each at its key."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.flow import Flow, check
from ivr.messages import Prompt
from ivr.nodes import BUILT_IN


def flow(start: str, nodes: dict[str, dict[str, Any]], name: str = "main", language: str = "") -> Flow:
    made = {
        node: BUILT_IN[fields["type"]].model_validate({k: v for k, v in fields.items() if k != "type"})
        for node, fields in nodes.items()
    }
    return Flow(name, start, made, language)


def play(following: str) -> dict[str, Any]:
    return {"type": "play", "prompt": "Hello.", "next": following}


def menu(otherwise: str = "@hangup", **keys: str) -> dict[str, Any]:
    chosen = {key.removeprefix("k"): target for key, target in keys.items()}
    return {"type": "menu", "prompt": "Choose.", "keys": chosen, "otherwise": otherwise}


END = {"type": "hangup"}


def paths(*flows: Flow) -> list[str]:
    return [problem.path for problem in check({each.name: each for each in flows})]


def test_a_sound_flow_has_no_problems() -> None:
    sound = flow("welcome", {"welcome": play("choose"), "choose": menu(k1="end", k2="@repeat"), "end": END})
    assert paths(sound) == []


def test_unknown_targets_are_found_at_their_keys_and_say_what_was_meant() -> None:
    broken = flow("choose", {"choose": menu("nowhere", k1="ennd", k2="@bak", k3="flow:other"), "end": END})
    problems = check({"main": broken})
    assert [problem.path for problem in problems] == [
        "flows.main.nodes.choose.keys.1",
        "flows.main.nodes.choose.keys.2",
        "flows.main.nodes.choose.keys.3",
        "flows.main.nodes.choose.otherwise",
        "flows.main.nodes.end",
    ]
    assert "did you mean 'end'?" in problems[0].message
    assert "did you mean '@back'?" in problems[1].message
    assert "'other' is not a flow" in problems[2].message
    assert "no way leads here" in problems[4].message


def test_a_start_that_is_no_node() -> None:
    assert paths(flow("begin", {"end": END})) == ["flows.main.start"]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_plays_that_follow_one_another_in_a_circle(length: int) -> None:
    nodes = {f"n{i}": play(f"n{(i + 1) % length}") for i in range(length)}
    [problem] = check({"main": flow("n0", nodes)})
    assert problem.path == "flows.main.nodes.n0"
    assert "loop without an exit" in problem.message


def test_a_circle_that_only_silence_walks_is_found_and_one_that_needs_keys_is_not() -> None:
    silent = flow("a", {"a": menu("b", k1="end"), "b": play("a"), "end": END})
    assert paths(silent) == ["flows.main.nodes.a"]
    keyed = flow("a", {"a": menu("end", k1="b"), "b": play("a"), "end": END})
    assert paths(keyed) == []


def test_going_back_needs_a_key() -> None:
    silent = flow("m", {"m": menu("@repeat", k1="p"), "p": play("@back")})
    assert paths(silent) == ["flows.main.nodes.m.otherwise", "flows.main.nodes.p.next"]


def test_a_circle_through_two_flows() -> None:
    first = flow("a", {"a": {"type": "transfer", "target": "flow:second"}}, "first")
    second = flow("b", {"b": play("flow:first")}, "second")
    assert paths(first, second) == ["flows.first.nodes.a"]


def test_two_circles_are_two_problems() -> None:
    two = flow("m", {"m": menu(k1="a", k2="b"), "a": play("a"), "b": play("b")})
    assert paths(two) == ["flows.main.nodes.a", "flows.main.nodes.b"]


def test_a_node_that_could_not_be_read_hides_nothing_else() -> None:
    sound = flow("a", {"a": play("broken"), "b": play("nowhere")})
    partly = Flow("main", "a", sound.nodes, "", frozenset(["broken"]))
    assert paths(partly) == ["flows.main.nodes.b.next"]


def test_a_long_chain_needs_no_deep_recursion() -> None:
    nodes = {f"n{i}": play(f"n{i + 1}") for i in range(5000)} | {"n5000": END}
    assert paths(flow("n0", nodes)) == []


def test_prompts_have_the_language_of_the_flow_unless_they_have_their_own() -> None:
    spoken = flow(
        "a",
        {
            "a": {"type": "play", "prompt": ["Eins.", {"text": "One.", "language": "en"}], "next": "b"},
            "b": {"type": "hangup", "prompt": "Eins."},
        },
        language="de",
    )
    assert spoken.prompts() == (Prompt("Eins.", language="de"), Prompt("One.", language="en"))


def test_references_have_the_path_of_their_key() -> None:
    named = flow("q", {"q": {"type": "queue", "queue": "sales"}})
    assert [(path, reference.target) for path, reference in named.references()] == [
        ("flows.main.nodes.q.queue", "queue:sales")
    ]
