# SPDX-License-Identifier: Apache-2.0
"""The journal as an audit: migrations, proof of the chain, archives, exports, a copy to syslog.

Two kinds of records are its own and name no press:

- `migrated`, number 0: a file of schema 1 was chained; what was done to it before is not proven.
  `records` says how many there were, `gaps` which numbers were missing then.
- `sealed`: records were put into an archive; `archive` and `sha256` name the file, `ranges` the
  numbers, each as `[first, last, hash before the first, hash of the last]`.
"""
