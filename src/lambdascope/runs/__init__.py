"""The run directory: a config, checkpoints and tables; knows no particular system."""
