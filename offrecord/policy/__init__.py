# SPDX-License-Identifier: Apache-2.0
"""Who may press: rules, FreePBX's setting, limits."""
