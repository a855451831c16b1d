"""A Functions host for your machine: runs an app by the bindings it declares, as Azure would."""

from local.host.host import HostOptions, TriggerHost
from local.host.invocation import LEASE
from local.host.settings import HostError

__all__ = ["LEASE", "HostError", "HostOptions", "TriggerHost"]
