# SPDX-License-Identifier: Apache-2.0
"""After a crash: what was left unfinished, and what is done about it."""
