"""``python -m galzoo_repr`` is the command ``galzoo-repr``."""

from galzoo_repr.cli import main

if __name__ == "__main__":
    main()
