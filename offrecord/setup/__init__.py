# SPDX-License-Identifier: Apache-2.0
"""`offrecord init`: from the machine's files and a few answers to the files of a site.

`survey` reads, `plan` decides and is pure, `apply` writes; the command `init` asks and shows.
"""
