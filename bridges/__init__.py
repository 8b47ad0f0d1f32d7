# SPDX-License-Identifier: Apache-2.0
"""A bridge here leads to a recorder; it is not Asterisk's bridge, which joins channels.

One folder for each kind of recorder, with the same file names in each; `shared` has what several
kinds need. `model` holds the order and its result, `routing` decides which recorders a call has,
`registry` finds the kinds that are installed.
"""
