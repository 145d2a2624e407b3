"""What the kernel is told of bridged calls, without a kernel."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.forwarding import BUDGET, NO_ROUTE, Route
from media.forwarding_memory import LOOPBACK
from media.listen import CREDIT_A_TICK
from media.path import path_of
from media.sequence import MAX_DROPOUT
from tests.support.bpf_run import number, ones_sum
from tests.support.forwarding import CAPACITY, LOCAL, Kernel, host, path


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def test_nothing_is_forwarded_before_resume(kernel: Kernel) -> None:
    assert kernel.forwarding.paused
    kernel.lay(0, 1)
    assert kernel.forwarding.paused and not kernel.ways["on"].any()
    kernel.resume()
    assert kernel.on() == [0, 1] and not kernel.forwarding.paused
    assert dict(kernel.keys) == {path(0): 0, path(1): 1}
    kernel.forwarding.withdraw()
    assert kernel.on() == [] and kernel.forwarding.paused


def test_the_budget_is_given_by_the_tick_alone(kernel: Kernel) -> None:
    """As much as a leg may send the worker, whatever is laid, read or resumed meanwhile."""
    assert BUDGET == CREDIT_A_TICK
    kernel.lay(0, 1)
    kernel.resume()
    assert not kernel.ways["budget"].any()
    kernel.forwarding.tick()
    assert kernel.ways["budget"].tolist() == [BUDGET] * CAPACITY
    kernel.ways["budget"][:2] = 3, 0
    kernel.ways["on"][1] = 0
    kernel.write(0, 1)
    assert kernel.read() == [0, 1]
    kernel.lay(0, 1, 2)
    kernel.resume()
    assert kernel.on() == [0, 1, 2]
    assert kernel.ways["budget"].tolist() == [3, 0, *[BUDGET] * (CAPACITY - 2)]
    kernel.forwarding.tick()
    assert kernel.ways["budget"].tolist() == [BUDGET] * CAPACITY, "it is not heaped up"


def test_what_is_laid_takes_another_turn(kernel: Kernel) -> None:
    """So the program sees that a packet crossed it, however little has changed; and nothing else does it."""
    for _ in range(3):
        before = int(kernel.control["turn"][0])
        kernel.lay(0, 1)
        assert kernel.control["turn"][0] == before + 1
        kernel.resume()
        kernel.forwarding.tick()
        kernel.forwarding.withdraw()
        kernel.resume()
        assert kernel.control["turn"][0] == before + 1


def test_turns_begin_again(kernel: Kernel) -> None:
    kernel.control["turn"][0] = 0xFFFFFFFF
    kernel.lay(0, 1)
    assert kernel.control["turn"][0] == 0


def test_a_way_as_it_lies_in_the_packet(kernel: Kernel) -> None:
    kernel = Kernel(dscp=46)
    kernel.routes.routes[host(0)] = Route(number("192.168.3.4"), 2)
    kernel.routes.routes[host(1)] = Route(number("172.16.5.6"), 7)
    for name in ("expected", "ssrc", "sequence_step", "head_step", "timestamp_step", "ssrc_step"):
        kernel.steady[name][0] = 0x1234
    kernel.highest[0] = 0x1FFFE
    kernel.steady["path"][0] = path(1, 40100)
    kernel.lay(0)
    way = kernel.ways[0]
    assert way["local"].tobytes() == bytes([192, 168, 3, 4]), "where it comes to"
    assert way["source"].tobytes() == bytes([172, 16, 5, 6]), "where it comes from for whoever hears it"
    assert way["destination"].tobytes() == bytes([10, 1, 0, 1])
    assert way["ports"].tobytes() == (40100).to_bytes(2, "big") + (5002).to_bytes(2, "big")
    assert (way["arrives"], way["leaves"], way["highest"]) == (2, 7, 0xFFFE)
    assert {int(way[name]) for name in ("expected", "ssrc", "sequence_step", "timestamp_step")} == {0x1234}
    header = bytes([0x45, 46 << 2, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 172, 16, 5, 6, 10, 1, 0, 1])
    assert ones_sum(int(way["checksum"]).to_bytes(4, "little")) == ones_sum(header)


@given(st.integers(1, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 63))
def test_the_sum_of_every_header(source: int, destination: int, dscp: int) -> None:
    kernel = Kernel(dscp)
    kernel.routes.routes |= {host(0): Route(LOCAL, 2), destination: Route(source, 2)}
    kernel.steady["path"][0] = path_of(40000, destination, 9)
    kernel.lay(0)
    addresses = source.to_bytes(4, "big") + destination.to_bytes(4, "big")
    header = bytes([0x45, dscp << 2, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0]) + addresses
    assert ones_sum(int(kernel.ways["checksum"][0]).to_bytes(4, "little")) == ones_sum(header)


# ----- keys


def test_keys_move_in_one_call_each(kernel: Kernel) -> None:
    kernel.lay(0, 1, 2, 3)
    kernel.lay(2, 3, 4, 5)
    assert kernel.keys.calls == [
        ("put", [path(slot) for slot in (0, 1, 2, 3)]),
        ("remove", [path(0), path(1)]),
        ("put", [path(4), path(5)]),
    ]
    assert dict(kernel.keys) == {path(slot): slot for slot in (2, 3, 4, 5)}


def test_what_stays_as_it_is_keeps_its_key(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.keys.calls.clear()
    kernel.routes.asked.clear()
    kernel.steady["path"][0] = path(1, 40100)
    kernel.lay(0, 1)
    assert kernel.keys.calls == [], "who is heard elsewhere comes by the same path"
    assert set(kernel.routes.asked) == {host(0), host(1)}, "of the leg that goes on elsewhere"
    kernel.routes.asked.clear()
    kernel.lay(0, 1)
    assert kernel.keys.calls == kernel.routes.asked == []


def test_two_legs_swap_their_paths(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.sources[[0, 1]] = kernel.sources[[1, 0]]
    kernel.lay(0, 1)
    kernel.resume()
    assert dict(kernel.keys) == {path(0): 1, path(1): 0}


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0)])
def test_a_path_goes_from_one_leg_to_another(kernel: Kernel, before: int, after: int) -> None:
    """The one's key has to go before the other has it, whichever is the first."""
    kernel.sources[before] = path(3)
    kernel.lay(before)
    kernel.sources[after] = path(3)
    kernel.lay(after)
    kernel.resume()
    assert dict(kernel.keys) == {path(3): after} and kernel.on() == [after]


def test_as_many_keys_as_there_is_room_for_are_all_replaced(kernel: Kernel) -> None:
    kernel.lay(*range(CAPACITY))
    kernel.sources[:] = [path(slot, 40100) for slot in range(CAPACITY)]
    kernel.lay(*range(CAPACITY))
    assert dict(kernel.keys) == {path(slot, 40100): slot for slot in range(CAPACITY)}
    kernel.lay()
    assert not kernel.keys and not kernel.ways["on"].any()


def test_other_steps_are_told_of_ways_that_stay(kernel: Kernel) -> None:
    """A stream has begun: the path is the same."""
    kernel.lay(0, 1)
    kernel.steady["ssrc_step"] = 77
    kernel.lay(0, 1)
    assert kernel.ways["ssrc_step"].tolist() == [77] * CAPACITY


# ----- routes


@pytest.mark.parametrize("lost", [0, 1])
def test_without_a_route_the_worker_relays_it(kernel: Kernel, lost: int) -> None:
    kernel.routes.routes[host(lost)] = NO_ROUTE
    kernel.lay(0, 1, 2, 3)
    kernel.resume()
    assert kernel.on() == [2, 3] and set(kernel.keys.values()) == {2, 3}


def test_what_comes_from_elsewhere_does_not_stay_here(kernel: Kernel) -> None:
    """Of the three others each can: from here to here, from here to elsewhere, elsewhere to elsewhere."""
    for slot in (1, 2, 3):
        kernel.routes.routes[host(slot)] = Route(LOCAL, LOOPBACK)
    kernel.lay(*range(CAPACITY))
    kernel.resume()
    assert kernel.on() == [1, 2, 3, 4, 5], "0 would be heard on this machine"
    assert kernel.ways["arrives"][1:].tolist() == [LOOPBACK, LOOPBACK, LOOPBACK, 2, 2]
    assert kernel.ways["leaves"][1:].tolist() == [2, LOOPBACK, LOOPBACK, 2, 2]


def test_each_address_is_asked_for_once(kernel: Kernel) -> None:
    kernel.sources[:] = [path_of(40000 + 2 * slot, host(0), 5000) for slot in range(CAPACITY)]
    kernel.steady["path"] = kernel.sources[[1, 0, 3, 2, 5, 4]]
    kernel.lay(*range(CAPACITY))
    assert kernel.routes.asked == [host(0), host(0)], "for where they come from, and where they go"


def test_changed_routes_are_told_once(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    assert not kernel.forwarding.rerouted()
    kernel.routes.routes[host(1)] = Route(LOCAL, 9)
    kernel.routes.other = True
    assert kernel.forwarding.rerouted()
    assert not kernel.forwarding.rerouted()


def test_of_routes_that_no_leg_has_nobody_is_told(kernel: Kernel) -> None:
    """Containers come and go: no call is held up by that."""
    kernel.lay(0, 1)
    kernel.resume()
    kernel.routes.routes[host(2)] = kernel.routes.routes[host(3)] = Route(LOCAL, 9)
    kernel.routes.other = True
    assert not kernel.forwarding.rerouted() and kernel.on() == [0, 1]


def test_a_leg_that_had_no_route_is_told(kernel: Kernel) -> None:
    kernel.routes.routes[host(1)] = NO_ROUTE
    kernel.lay(0, 1)
    kernel.routes.routes[host(1)] = Route(LOCAL, 9)
    kernel.routes.other = True
    assert kernel.forwarding.rerouted()
    kernel.lay(0, 1, anew=True)
    kernel.resume()
    assert kernel.on() == [0, 1]


def test_routes_are_asked_for_again_only_anew(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.routes.routes[host(1)] = Route(LOCAL, 9)
    kernel.lay(0, 1)
    assert kernel.ways["leaves"][:2].tolist() == [2, 2]
    kernel.lay(0, 1, anew=True)
    assert kernel.ways["leaves"][:2].tolist() == [9, 2]
    assert kernel.ways["arrives"][:2].tolist() == [2, 9]


def test_a_changed_route_changes_its_legs_alone(kernel: Kernel) -> None:
    """And no key, as their paths are the same."""
    kernel.lay(*range(CAPACITY))
    kernel.keys.calls.clear()
    kernel.ways["checksum"][2:] = 4711  # would be written over
    kernel.routes.routes[host(1)] = Route(number("10.0.0.9"), 2)
    kernel.lay(*range(CAPACITY), anew=True)
    kernel.resume()
    assert kernel.keys.calls == []
    assert kernel.ways["source"][0].tobytes() == kernel.ways["local"][1].tobytes() == bytes([10, 0, 0, 9])
    assert kernel.ways["checksum"][2:].tolist() == [4711] * 4
    assert kernel.on() == list(range(CAPACITY))


def test_a_route_that_is_lost_takes_the_keys_of_its_legs(kernel: Kernel) -> None:
    kernel.lay(0, 1, 2, 3)
    kernel.keys.calls.clear()
    kernel.routes.routes[host(0)] = NO_ROUTE
    kernel.lay(0, 1, 2, 3, anew=True)
    kernel.resume()
    assert kernel.on() == [2, 3] and kernel.keys.calls == [("remove", [path(0), path(1)])]
    kernel.routes.routes[host(0)] = Route(LOCAL, 2)
    kernel.lay(0, 1, 2, 3, anew=True)
    kernel.resume()
    assert kernel.on() == [0, 1, 2, 3] and kernel.keys.calls[1:] == [("put", [path(0), path(1)])]


# ----- legs that lose their ways


def test_a_leg_that_lost_its_way_gets_it_back(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.ways["on"][1] = 0
    kernel.forwarding.withdraw()
    kernel.resume()
    assert kernel.on() == [0, 1]


def test_a_leg_that_is_not_laid_never_gets_a_way(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.lay(0)
    kernel.resume()
    assert kernel.on() == [0]


@given(st.integers(0, 0xFFFF), st.integers(-30000, 30000), st.integers(0, 0xFFFF), st.booleans())
def test_highest_does_not_fall_in_resume(known: int, ahead: int, upper: int, idle: bool) -> None:
    """The program writes the whole first word there, and may have seen more than the worker, or less; but
    what is too far off is of another stream."""
    kernel = Kernel()
    kernel.lay(0)
    kernel.resume()
    kernel.ways["highest"][0] = upper << 16 | known
    kernel.ways["on"][0] = not idle
    kernel.highest[0] = 65536 * 9 + known + ahead
    kernel.resume()
    kept = not idle or -MAX_DROPOUT < ahead <= 0
    wanted = known if kept else known + ahead
    assert int(kernel.ways["highest"][0]) & 0xFFFF == wanted & 0xFFFF
    assert kernel.on() == [0]


def test_a_stream_that_begins_again_is_laid_with_its_number(kernel: Kernel) -> None:
    """However far back that is."""
    kernel.highest[0] = 50000
    kernel.lay(0)
    kernel.resume()
    kernel.highest[0] = 30000
    kernel.lay(0)
    kernel.resume()
    assert int(kernel.ways["highest"][0]) & 0xFFFF == 30000


def test_who_has_a_packet_in_a_socket_waits(kernel: Kernel) -> None:
    """Until it is read, his next one would overtake it."""
    kernel.lay(0, 1, 2, 3)
    assert kernel.forwarding.resume(kernel.highest) is None and kernel.on() == [], (
        "what came before is not known"
    )
    kernel.forwarding.look()
    kernel.ways["refused"][1] += 1  # while the sockets were read
    kernel.forwarding.resume(kernel.highest)
    assert kernel.on() == [0, 2, 3]
    kernel.resume()
    assert kernel.on() == [0, 1, 2, 3]


def test_a_kernel_that_refuses_keys_forwards_nothing_more(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls go on: the worker relays them, and does not wait for what never comes."""
    kernel.lay(0, 1)
    kernel.resume()

    def refuse(keys: object) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(kernel.keys, "remove", refuse)
    kernel.lay(2, 3)
    assert not kernel.forwarding.paused and kernel.forwarding.failed == "no memory"
    kernel.resume()
    assert kernel.on() == [] and kernel.forwarding.forwarded() is None
