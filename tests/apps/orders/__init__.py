"""An application whose commands decide on the state of an order."""
