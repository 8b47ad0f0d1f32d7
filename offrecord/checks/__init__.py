# SPDX-License-Identifier: Apache-2.0
"""`offrecord check`: rules that look at what the daemon needs, and say what mends it."""
