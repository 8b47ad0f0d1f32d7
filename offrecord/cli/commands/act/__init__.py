# SPDX-License-Identifier: Apache-2.0
"""Commands that press: they change whether calls are recorded."""
