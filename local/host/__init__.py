"""A local Functions host, which runs an app by the bindings that it declares, as Azure does."""

from local.host.host import FunctionsHost, HostOptions
from local.host.invocation import CUT_OFF_MESSAGE, LEASE
from local.host.settings import HostError

__all__ = ["CUT_OFF_MESSAGE", "LEASE", "FunctionsHost", "HostError", "HostOptions"]
