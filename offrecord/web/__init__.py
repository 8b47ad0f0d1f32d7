# SPDX-License-Identifier: Apache-2.0
"""HTTP: the server, what vendors report to it, tokens, the API, the page."""
