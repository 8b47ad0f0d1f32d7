# SPDX-License-Identifier: Apache-2.0
"""Recovery after a crash: the presses left unfinished, and what is done about them."""
