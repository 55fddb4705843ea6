"""`python -m chestlib`, the command line where the `chestlib` command is not on the path."""

from chestlib.cli import main

if __name__ == "__main__":
    main()
