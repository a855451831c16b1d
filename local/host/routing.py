"""Routes as in the real host: the first declared one matches, and case does not matter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.host.settings import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.host.bindings import HttpTrigger

_CONSTRAINTS = {"int": "-?[0-9]+", "guid": "[0-9a-f-]{36}", "alpha": "[a-z]+"}
_PARAMETER = re.compile(r"(/?)\{(\*?)(\w+)(?::(\w+))?(\??)\}")


class Router:
    """The routes of an app.

    Args:
        triggers: The HTTP functions, in the order in which they are declared.
        prefix: The prefix of all routes.

    Raises:
        HostError: If a route has a form that is not supported.
    """

    def __init__(self, triggers: Sequence[HttpTrigger], prefix: str) -> None:
        self._routes = [(route_pattern(prefix, trigger.route), trigger) for trigger in triggers]

    def match(self, method: str, path: str) -> tuple[HttpTrigger, Mapping[str, str]] | None:
        """Return the function for a request and the parameters of its route, or None.

        As in Azure, a route does not match with a method that its function does not accept.
        """
        for pattern, trigger in self._routes:
            match = pattern.fullmatch(path)
            if match and (trigger.methods is None or method in trigger.methods):
                parameters = match.groupdict()
                return trigger, {name: _decode(text or "") for name, text in parameters.items()}
        return None


def route_pattern(prefix: str, route: str) -> re.Pattern[str]:
    """Return a pattern that matches the paths of an Azure Functions route.

    Raises:
        HostError: If the route has a form that is not supported.
    """
    template = "/".join(part for part in ("", prefix.strip("/"), route.strip("/")) if part)
    if set("{}") & set(_PARAMETER.sub("", template)):
        raise HostError(
            f"Route {route!r} has a parameter of a form that the local host does not support. "
            "Use {name}, {name:constraint}, {name?} or {*name}."
        )
    pattern, end = "", 0
    for match in _PARAMETER.finditer(template):
        pattern += re.escape(template[end : match.start()]) + _group(match, route)
        end = match.end()
    return re.compile(f"/{pattern}{re.escape(template[end:])}/?", re.IGNORECASE)


def _group(match: re.Match[str], route: str) -> str:
    slash, star, name, constraint, question = match.groups()
    if constraint and constraint not in _CONSTRAINTS:
        supported = ", ".join(_CONSTRAINTS)
        raise HostError(
            f"Route {route!r} has the constraint {constraint!r}. "
            f"The local host supports {supported}."
        )
    group = f"(?P<{name}>{'.*' if star else _CONSTRAINTS.get(constraint or '', '[^/]+')})"
    return f"(?:{slash}{group})?" if star or question else f"{slash}{group}"


def _decode(text: str) -> str:
    """Return the value of a parameter; the rest of the path was decoded before it was split."""
    return text.replace("%2F", "/").replace("%25", "%")
