"""What the last run has left, given to the core of this one: agents, phones, queues, messages, promises, and
who talked with whom.

Invariant: what a crash cut off is told in the log; what cannot be restored stops nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from softswitch.app.control import Feed
from softswitch.app.messages import MessageShell
from softswitch.app.survivors import Survivors
from softswitch.call.switch import Switch
from softswitch.call.taking_over import LastRun
from softswitch.config import Config
from softswitch.log import logger
from softswitch.store import Recovered, Writer

log = logger("switch")


def tell_recovered(found: Recovered) -> None:
    """What was closed in the log because nobody had ended it."""
    if found.calls or found.alive or (found.agents and not found.orderly):
        log.warning(
            "the last run did not end in order; what it left open is closed with the cause restart",
            calls=found.calls,
            go_on=found.alive,
            waiting=found.waiting,
            talking=found.talking,
            agents=found.agents,
            at=datetime.fromtimestamp(found.at, UTC).isoformat(timespec="seconds"),
        )


async def restore(
    config: Config,
    switch: Switch,
    feed: Feed,
    store: Writer,
    messages: MessageShell,
    survivors: Survivors,
    now: float,
) -> None:
    """Once, at the start, in the order in which things depend on one another."""
    _restore_agents(switch, feed, store, survivors)
    kept = await messages.adopt()
    feed(lambda now: switch.restore_messages(kept, now))
    errands = store.errands
    feed(lambda now: switch.restore_errands(errands, now))
    within = [queue.last_agent_within_s or 0.0 for queue in config.queues.values()]
    if any(within):
        switch.remember_agents(await store.recent_agents(now - max(within)))
    within = [queue.return_within_s or 0.0 for queue in config.queues.values()]
    if any(within):
        switch.remember_places(await store.lost_callers(now - max(within)), now)
    feed(switch.lead_on)


def _restore_agents(switch: Switch, feed: Feed, store: Writer, survivors: Survivors) -> None:
    """Agents, registrations and calls, as the last run left them."""
    kept = store.kept
    last = LastRun(kept.calls, survivors.calls, survivors.present, store.recovered.at)
    if not feed(lambda now: switch.restore(kept.agents, kept.phones, now, kept.closed, last)):
        return
    if kept.calls:
        waiting = sum(call.wait is not None for call in last.going_on)
        menus = sum(call.menu is not None for call in last.going_on)
        alive, ended = len(survivors.calls), len(kept.calls) - len(survivors.calls)
        log.info("= calls of the last run", go_on=alive, waiting=waiting, menus=menus, ended=ended)
    if kept.agents:
        log.info("= agents are logged in as they were", agents=len(kept.agents), phones=len(kept.phones))
    if kept.closed:
        log.info("= queues are closed as they were", queues=", ".join(kept.closed))
