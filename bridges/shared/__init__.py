# SPDX-License-Identifier: Apache-2.0
"""Parts that several kinds of recorder share: a base, settings, an HTTP line, comparing calls."""
