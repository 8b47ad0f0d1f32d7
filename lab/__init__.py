# SPDX-License-Identifier: Apache-2.0
"""A laboratory: real Asterisks on loopback, with phones, for the demo and the live tests.

Nothing of the daemon imports this package.
"""
