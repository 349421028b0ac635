"""From tables and traces to pictures and sentences; nothing is computed here."""
