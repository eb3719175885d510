"""What a command's exit code means."""

ANSWERED = 0
COULD_NOT = 1  # an error that says what to do
WRONG_USAGE = 2
BUDGET_BROKEN = 3  # answered, and a budget is broken
INTERRUPTED = 130  # what shells expect after Ctrl-C
