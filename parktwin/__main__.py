"""``python -m parktwin``: the command line."""

from parktwin.cli import main

if __name__ == "__main__":
    main()
