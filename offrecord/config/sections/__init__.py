# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration, a file for each subject."""
