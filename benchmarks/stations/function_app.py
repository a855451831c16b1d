"""The Azure Functions app with a fan-out of any size."""

import os

import azure.functions as func

from benchmarks.stations import projections
from core.application import Application
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers

application = Application.discover(projections, os.environ)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
register_triggers(app, application, os.environ)
register_routes(app, application)
