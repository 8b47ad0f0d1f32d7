# SPDX-License-Identifier: Apache-2.0
"""The words of the domain as frozen data: press, intent, verdict, outcome tables."""
