# SPDX-License-Identifier: Apache-2.0
"""`python -m offrecord` is `offrecord`."""

from offrecord.cli.main import main

main()
