from __future__ import annotations

from pathlib import Path

import pytest

from local.host import HostError
from local.host.host import load_app


def test_the_app_of_another_folder_is_not_taken(tmp_path: Path) -> None:
    """The root of the repository, which is on the path, has a function_app.py as well."""
    with pytest.raises(HostError, match=r"no function_app\.py in"):
        load_app(tmp_path)
