"""`python -m chestlib.cli`."""

from chestlib.cli import main

main()
