# SPDX-License-Identifier: Apache-2.0
"""Decodes AMI: `headers` bytes to headers, `packet_to_event` headers to typed events."""
