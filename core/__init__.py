"""Event projections on Azure Cosmos DB: what a projection module imports."""

from core.commands import Command
from core.entities import Entity, reduces
from core.errors import Refused
from core.events import Event
from core.projections import projection

__all__ = ["Command", "Entity", "Event", "Refused", "projection", "reduces"]
