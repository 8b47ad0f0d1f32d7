# SPDX-License-Identifier: Apache-2.0
"""Contract simulators: what each vendor documents, with every open point and fault as a switch."""
