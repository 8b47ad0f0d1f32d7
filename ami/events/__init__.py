# SPDX-License-Identifier: Apache-2.0
"""AMI packets, from bytes to typed events."""
