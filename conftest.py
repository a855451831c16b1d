"""The test kit's plugin, for tests in any folder."""

pytest_plugins = ("local.testing",)
