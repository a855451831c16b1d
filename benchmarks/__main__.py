"""`python -m benchmarks`."""

import typer

from benchmarks.all import run_all
from benchmarks.commands import commands
from benchmarks.engine import engine
from benchmarks.fanout import fanout
from benchmarks.growth import growth
from benchmarks.lag import lag
from benchmarks.layout import layout
from benchmarks.poison import poison
from benchmarks.reading import reading
from benchmarks.redelivery import redelivery
from benchmarks.scaling import scaling
from benchmarks.start import start
from benchmarks.throttled import throttled
from benchmarks.writing import writing

app = typer.Typer(
    help="What is measured, each command on this machine alone; without one, all of them.",
    invoke_without_command=True,
    callback=run_all,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(commands)
app.command()(engine)
app.command()(fanout)
app.command()(growth)
app.command()(lag)
app.command()(layout)
app.command()(poison)
app.command()(reading)
app.command()(redelivery)
app.command()(scaling)
app.command()(start)
app.command()(throttled)
app.command()(writing)

if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
