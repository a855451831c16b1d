"""The same projection on the `eventsourcing` library, in memory; prints seconds of processor."""

import gc
import json
import sys
import threading
import time
from uuid import UUID, uuid4

from eventsourcing.application import Application, ProcessingEvent
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.projection import EventSourcedProjection, EventSourcedProjectionRunner


class User(Aggregate):
    """Whom a user follows."""

    @event("Followed")
    def follow(self, to_follow: UUID) -> None:
        """The user follows somebody."""


class Follower(Aggregate):
    """Somebody was followed; the derived event is the one that creates it."""

    @event("WasFollowed")
    def __init__(self, user_id: UUID, follower: UUID) -> None:
        self.user_id = user_id
        self.follower = follower


class Follows(Application[UUID]):
    """The source events."""


class Followers(EventSourcedProjection[UUID]):
    """From each source event one derived event."""

    @singledispatchmethod
    def policy(self, domain_event: object, processing_event: ProcessingEvent[UUID]) -> None:
        """Other events are passed over."""

    @policy.register
    def _(self, domain_event: User.Followed, processing_event: ProcessingEvent[UUID]) -> None:
        derived = Follower(user_id=domain_event.to_follow, follower=domain_event.originator_id)
        processing_event.collect_events(derived)


def measure(count: int) -> dict[str, float]:
    """Append the source events, then let the runner process them all."""
    with EventSourcedProjectionRunner(
        application_class=Follows, projection_class=Followers, env={}
    ) as runner:
        go, original = threading.Event(), runner.projection.process_event

        def process(domain_event: object, tracking: Tracking) -> None:
            go.wait()
            original(domain_event, tracking)

        runner.projection.process_event = process
        users = [User() for _ in range(count // 100)]
        for nth in range(count):
            users[nth % len(users)].follow(uuid4())
        last = runner.app.save(*users)[-1].notification.id
        begun, processor = time.perf_counter(), time.process_time()
        go.set()
        runner.wait(last, timeout=600)
        return {
            "seconds": time.perf_counter() - begun,
            "processor": time.process_time() - processor,
        }


if __name__ == "__main__":
    gc.collect()
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))))
