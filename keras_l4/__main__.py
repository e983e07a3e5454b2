"""`python -m keras_l4`: report, check, diff and replay."""

import sys

from keras_l4.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
