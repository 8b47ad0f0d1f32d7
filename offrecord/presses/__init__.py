# SPDX-License-Identifier: Apache-2.0
"""The way of one press, from the intake to its verdict."""
