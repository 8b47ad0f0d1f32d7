# SPDX-License-Identifier: Apache-2.0
"""A stop or pause held for the rest of the call: re-applied, retried, timed."""
