"""The load of an experiment: pairs of users who follow and unfollow each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING

from local.chaos.history import Change, History
from local.harness.client import ApplicationError

if TYPE_CHECKING:
    from local.harness.client import ApplicationClient
    from local.harness.follows import Follow

_COMMANDS_OF_A_PAIR = {1: 0.7, 2: 0.2, 3: 0.1}
"""The probability of each number of commands about a pair."""

_LOST_REPLY_RATE = 0.05
_MAX_WAIT_SECONDS = 0.03
"""The longest time after which a client that loses the reply stops waiting for it."""

_REPEAT_RATE = 0.1


@dataclass(kw_only=True)
class LoadSender:
    """Sends commands, records what is acknowledged, and repeats some of them.

    Attributes:
        seed: The random seed.
        client: The client.
        history: The accepted commands.
        lost_replies: The number of commands whose reply the client did not wait for.
    """

    seed: int
    client: ApplicationClient
    history: History = field(default_factory=History)
    lost_replies: int = 0

    async def relate(self, follow: Follow) -> None:
        """Send all commands about a pair, each after the one before was acknowledged.

        Raises:
            ApplicationError: If a command is rejected, or a self-follow is accepted.
        """
        if follow.is_self_follow:
            await self.client.follow(follow)
            return
        random = Random(f"{self.seed} {follow}")  # noqa: S311 - it is to be repeatable, not secret
        (count,) = random.choices(list(_COMMANDS_OF_A_PAIR), list(_COMMANDS_OF_A_PAIR.values()))
        for number in range(count):
            await self.send(Change(follow, number), random)

    async def send(self, change: Change, random: Random) -> str:
        """Send a command until it is acknowledged, and return the id of its event.

        For some commands the client is gone before the reply comes, and sends them again; others
        are sent again after they were acknowledged.

        Raises:
            ApplicationError: If it is rejected.
        """
        if random.random() < _LOST_REPLY_RATE:
            await self._lose_reply(change, random.uniform(0, _MAX_WAIT_SECONDS))
        event_id = await self._acknowledged(change)
        self.history.record(change, event_id)
        if random.random() < _REPEAT_RATE:
            self.history.record(change, await self._acknowledged(change))
        return event_id

    async def _lose_reply(self, change: Change, seconds: float) -> None:
        """Send a command and close the connection after a time."""
        sending = asyncio.create_task(self._acknowledged(change))
        _, pending = await asyncio.wait({sending}, timeout=seconds)
        self.lost_replies += len(pending)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    async def _acknowledged(self, change: Change) -> str:
        follow = change.follow
        status, body = await self.client.send_command(
            change.action,
            {"user_id": str(follow.follower), "to_follow": str(follow.followed)},
            change.idempotency_key,
        )
        if status != HTTPStatus.ACCEPTED:
            raise ApplicationError(f"{change} returned {status}: {body}.")
        (event_id,) = body["eventIds"]
        return str(event_id)
