"""An application whose output depends on the hash seed."""
