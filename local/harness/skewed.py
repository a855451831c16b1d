"""`python -m local`, in a process whose clock is wrong.

The environment variable CLOCK_FILE names a file with the seconds by which the clock is ahead, or
behind if they are negative. At SIGUSR2 the file is read again, and the clock steps. Only the time
of day is wrong; monotonic clocks, which measure timeouts, are not.
"""

from __future__ import annotations

import os
import signal
from datetime import datetime, timezone
from pathlib import Path

import time_machine

from local.__main__ import app
from local.harness.processes import CLOCK_FILE


def main() -> None:
    """Skew the clock of this process, then run the command line."""
    file = Path(os.environ[CLOCK_FILE])
    clock = time_machine.travel(datetime.now(timezone.utc)).start()

    def step(*_: object) -> None:
        right = time_machine.escape_hatch.time.time()
        clock.move_to(right + float(file.read_text(encoding="ascii")))

    step()
    signal.signal(signal.SIGUSR2, step)
    app(prog_name="python -m local")


if __name__ == "__main__":
    main()
