"""`python -m benchmarks`."""

import typer

from benchmarks.engine import engine
from benchmarks.fanout import fanout
from benchmarks.poison import poison
from benchmarks.redelivery import redelivery
from benchmarks.throttled import throttled
from benchmarks.writing import writing

app = typer.Typer(
    help="What is measured, each command against the embedded Cosmos DB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(engine)
app.command()(fanout)
app.command()(poison)
app.command()(redelivery)
app.command()(throttled)
app.command()(writing)

if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
