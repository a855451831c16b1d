"""Prints what an application computes from events, for a comparison between hash seeds."""

from __future__ import annotations

import importlib
import json
import sys

from core.model.documents import Envelope, parse_event
from core.model.registry import Registry
from core.testing.outputs import outputs


def main() -> None:
    """Read a package and documents as JSON from standard input, and print the outputs as JSON."""
    request = json.load(sys.stdin)
    registry = Registry.discover(importlib.import_module(request["package"]))
    envelopes = map(Envelope.from_document, request["documents"])
    events = [parse_event(one, registry.events[one.type]) for one in envelopes]
    json.dump(outputs(registry, events), sys.stdout)


if __name__ == "__main__":
    main()
