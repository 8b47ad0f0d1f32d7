# SPDX-License-Identifier: Apache-2.0
"""Real Asterisks in folders of their own, and what is put between them and the daemon."""
