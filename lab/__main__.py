# SPDX-License-Identifier: Apache-2.0
"""`python -m lab` shows the demo."""

from lab.command import main

if __name__ == "__main__":
    main()
