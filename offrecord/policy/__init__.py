# SPDX-License-Identifier: Apache-2.0
"""Permission to press: rules, FreePBX's setting, limits."""
