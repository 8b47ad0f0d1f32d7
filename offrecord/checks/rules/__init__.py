# SPDX-License-Identifier: Apache-2.0
"""The rules of `offrecord check`: a rule is a function in the file of its subject."""
