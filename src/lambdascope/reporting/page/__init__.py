"""The report: tables in, one self-contained page out. It computes nothing."""
