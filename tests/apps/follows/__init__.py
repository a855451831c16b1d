"""An application of one module: who follows whom."""
