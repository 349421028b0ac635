"""One file a command: read a run, call the library, write tables and figures."""
