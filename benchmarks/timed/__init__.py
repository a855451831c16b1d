"""An app that notes when it projects what."""
