"""`python -m keras_l4`: report, check and diff."""

import sys

from keras_l4.report.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
