"""One file a contestant: each samples the README example and says how long its steps took."""
