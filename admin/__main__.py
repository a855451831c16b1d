"""The command line for operating the projections: `python -m admin`."""

import typer

from admin import deadletters
from admin.doctor.command import doctor
from admin.init import init
from admin.package import package
from admin.status import status

app = typer.Typer(
    help="Operate the event projections of a Cosmos DB account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(status)
app.command()(init)
app.command()(doctor)
app.command()(package)
app.add_typer(deadletters.app, name="deadletters")

if __name__ == "__main__":
    app(prog_name="python -m admin")
