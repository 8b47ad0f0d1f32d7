# SPDX-License-Identifier: Apache-2.0
"""What several kinds of recorder need: HTTP, number matching, settings, ended calls."""
