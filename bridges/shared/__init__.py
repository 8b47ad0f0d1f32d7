# SPDX-License-Identifier: Apache-2.0
"""What several kinds of recorder need: a base, settings, an HTTP line, rules that compare calls."""
