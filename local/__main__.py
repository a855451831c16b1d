"""The command line for local development: `python -m local`."""

import typer

from local.chaos.command import chaos
from local.conformance.command import conformance
from local.cosmos.command import cosmos
from local.demo.command import demo
from local.run import run

app = typer.Typer(
    help="Run and test on this machine, with an embedded Cosmos DB and a Functions host.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(cosmos)
app.command()(demo)
app.command()(chaos)
app.command()(conformance)

if __name__ == "__main__":
    app(prog_name="python -m local")
