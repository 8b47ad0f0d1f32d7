# SPDX-License-Identifier: Apache-2.0
"""The journal as evidence: verify, export, report, seal, copy to syslog.

One kind of record belongs to this room and names no press: `sealed`, written when records were
moved into an archive. `archive` and `sha256` name the file, `ranges` the numbers of the records,
each as `[first, last, hash before the first, hash of the last]`.
"""
