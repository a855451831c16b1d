"""Event projections on Azure Cosmos DB: what a projection module imports."""

from core.errors import Conflict, NotFound, Refused
from core.model.commands import Command
from core.model.entities import Entity, reduces
from core.model.entity_ids import Id
from core.model.events import Event
from core.model.projections import projection
from core.model.upcasts import upcast
from core.model.values import Value

__all__ = [
    "Command",
    "Conflict",
    "Entity",
    "Event",
    "Id",
    "NotFound",
    "Refused",
    "Value",
    "projection",
    "reduces",
    "upcast",
]
