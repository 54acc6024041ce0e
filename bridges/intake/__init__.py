"""Orders and stock that come from outside: checked, told from known ones, written to a log."""
