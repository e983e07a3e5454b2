"""Entry point of `python -m keras_l4` with the commands report, check, diff and replay."""

import sys

from keras_l4.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
