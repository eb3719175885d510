"""``python -m latprof`` is the command ``latprof``."""

from latprof.cli import main

if __name__ == "__main__":
    main()
