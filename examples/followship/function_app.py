"""The Azure Functions app: everything in `projections/`, bound to its triggers and routes."""

import gc
import os

import azure.functions as func

import projections
from core.application import Application
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers

application = Application.discover(projections, os.environ)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
register_triggers(app, application, os.environ)
register_routes(app, application)
gc.freeze()  # what is loaded by now stays; each look at it would hold up requests for 40 ms
