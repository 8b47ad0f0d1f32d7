# SPDX-License-Identifier: Apache-2.0
"""The terms of the domain as frozen data: press, intent, policy, verdict, outcome tables."""
