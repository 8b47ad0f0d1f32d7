# SPDX-License-Identifier: Apache-2.0
"""Tools: one request by hand, simulators, captures."""
